#!/usr/bin/python3
"""What the other tests here rely on: that nothing of a process in namespaces outlives it, whoever ends it and as whom it runs.
isolation.py --lattice PATH."""

import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import namespaces  # noqa: E402

from harness import cases, processes, tools  # noqa: E402


class Isolation(cases.ServerTest):
    def running(self):
        """A server as nobody in particular, with a child."""
        folder = processes.scratch_folder("isolation")
        command = ["sh", "-c", "sleep 600 & exec sleep 601"]
        made = namespaces.Isolated("sleepers", ("net",), command, os.path.join(folder, "log"), user="65532:65532")
        cases.eventually(lambda: sum("sleep 60" in line and "sh -c" not in line for _, line in made.left()) == 2, "both sleep")
        return made

    def test_it_is_ended(self):
        made = self.running()
        made.stop(signal.SIGKILL)
        self.assertEqual(made.left(), [])

    def test_whoever_started_it_is_killed(self):
        made = self.running()
        os.kill(made.pid, signal.SIGKILL)
        cases.eventually(lambda: not made.left(), "the processes inside end with the one outside", timeout_s=5)
        made.stop()

    def test_what_is_left_is_told(self):
        made = self.running()
        # Not in the namespace of process ids, so it does not end with the others.
        pid = os.posix_spawn("/bin/sleep", ["sleep", "602"], {made.mark[0]: made.mark[1]})
        try:
            with self.assertRaisesRegex(processes.ProcessFailed, "left behind.*sleep 602"):
                made.stop(signal.SIGKILL)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    if os.geteuid() != 0:
        tools.skip("namespaces need root")
    cases.main(__doc__)
