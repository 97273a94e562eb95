"""A unittest program that runs against one kind of server: --server KIND --lattice PATH [unittest arguments]."""

import argparse
import sys
import unittest

from . import servers, tools

server = None  # the running server, for the test cases


def main(module, description, needs_go_for=None):
    """Starts the server, runs the module's test cases, stops the server, ends the program."""
    global server
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--server", choices=servers.KINDS, required=True)
    parser.add_argument("--lattice", help="the binary under test")
    arguments, rest = parser.parse_known_args()
    if needs_go_for or arguments.server == "etcd":
        tools.skip_without_go(needs_go_for or "tests on the current etcd")
    server = servers.make(arguments.server, arguments.lattice, durable=False).start()
    try:
        program = unittest.main(module=module, argv=[sys.argv[0]] + rest, exit=False, verbosity=2)
        alive = server.process.alive()
        if not alive:
            print(f"the server ended with status {server.process.exit_status()}:\n{server.process.log_tail()}")
    finally:
        server.remove()
    sys.exit(0 if program.result.wasSuccessful() and alive and program.result.testsRun else 1)
