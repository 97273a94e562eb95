#!/usr/bin/python3
"""Becomes a program in another root and as another user, which ends when its parent does: become.py ROOT UID GID COMMAND...

The kernel forgets a parent's death signal when a process changes its user, so it is asked for again behind that; setpriv could do the
same, but not behind a change of the root.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main():
    root, user, group, *command = sys.argv[1:]
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    os.chroot(root)
    os.chdir("/")
    os.setgroups([])
    os.setgid(int(group))
    os.setuid(int(user))
    if prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    os.execvp(command[0], command)


main()
