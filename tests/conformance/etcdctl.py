#!/usr/bin/python3
"""Runs etcdctl, Debian's 3.4 and the current one, against a server and compares what it prints.

    tests/conformance/etcdctl.py --server KIND --lattice PATH
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import suite, tools  # noqa: E402


class Background:
    """An etcdctl that runs until it is stopped; its output by line."""

    def __init__(self, command, env):
        self._file = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdout=self._file, stderr=subprocess.STDOUT, env=env,
                                        stdin=subprocess.PIPE, text=True)

    def lines(self):
        self._file.flush()
        with open(f"/proc/self/fd/{self._file.fileno()}", encoding="utf-8") as file:
            return file.read().splitlines()

    def wait_for(self, count, timeout_s=10):
        deadline = time.monotonic() + timeout_s
        while len(self.lines()) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.lines()

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdin.close()
        self._file.close()


class Cases:
    """The commands; a subclass names the program."""

    program = ""

    def ctl(self, *arguments, status=0, stdin=None):
        done = subprocess.run([self.program, "--endpoints", suite.server.target, *arguments], capture_output=True,
                              text=True, env=self.env(), input=stdin, timeout=120, check=False)
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stdout}{done.stderr}")
        return (done.stdout if status == 0 else done.stdout + done.stderr).rstrip("\n")

    def env(self):
        return dict(os.environ)

    def background(self, *arguments):
        started = Background([self.program, "--endpoints", suite.server.target, *arguments], self.env())
        self.addCleanup(started.stop)
        return started

    def count(self, prefix):
        return json.loads(self.ctl("get", prefix, "--prefix", "--keys-only", "-w", "json")).get("count", 0)

    def setUp(self):
        self.ctl("del", "", "--from-key")

    def test_put_get_del(self):
        self.assertEqual(self.ctl("put", "a", "1"), "OK")
        self.assertEqual(self.ctl("put", "a", "2", "--prev-kv"), "OK\na\n1")
        self.assertEqual(self.ctl("put", "ab", "3"), "OK")
        self.assertEqual(self.ctl("get", "a"), "a\n2")
        self.assertEqual(self.ctl("get", "a", "--prefix", "--keys-only").split(), ["a", "ab"])
        self.assertEqual(self.ctl("get", "a", "--prefix", "--print-value-only", "--order=DESCEND", "--sort-by=KEY"),
                         "3\n2")
        self.assertEqual(self.ctl("get", "a", "z", "--limit=1"), "a\n2")
        self.assertEqual(self.count("a"), 2)
        revision = json.loads(self.ctl("get", "a", "-w", "json"))["kvs"][0]["create_revision"]
        self.assertEqual(self.ctl("get", "a", f"--rev={revision}"), "a\n1")
        self.assertEqual(self.ctl("del", "a", "--prev-kv"), "1\na\n2")
        self.assertEqual(self.ctl("del", "a"), "0")
        self.assertEqual(self.ctl("del", "a", "--prefix"), "1")

    def test_json_carries_the_header(self):
        self.ctl("put", "j", "1")
        answer = json.loads(self.ctl("get", "j", "-w", "json"))
        for field in ("cluster_id", "member_id", "revision", "raft_term"):
            self.assertGreater(answer["header"][field], 0)
        self.assertEqual(answer["kvs"][0]["version"], 1)

    def test_errors(self):
        self.assertIn("etcdserver: requested lease not found", self.ctl("put", "a", "1", "--lease=bad1", status=1))
        self.assertIn("etcdserver: mvcc: required revision is a future revision",
                      self.ctl("get", "a", "--rev=99999999", status=1))
        self.assertIn("etcdserver: key is not provided", self.ctl("put", "", "1", status=1))

    def test_txn(self):
        self.ctl("put", "t", "1")
        self.assertEqual(self.ctl("txn", stdin='value("t") = "1"\n\nput t 2\nget t\n\nput t 3\n\n'),
                         "SUCCESS\n\nOK\n\nt\n2")
        self.assertEqual(self.ctl("txn", stdin='mod("t") = "1"\nver("t") > "0"\n\nput t 2\n\nget t\ndel t\n\n'),
                         "FAILURE\n\nt\n2\n\n1")

    def test_watch(self):
        watching = self.background("watch", "w", "--prefix", "--prev-kv")
        time.sleep(0.5)
        self.ctl("put", "w1", "a")
        self.ctl("put", "w1", "b")
        self.ctl("del", "w1")
        # The value before, nothing before a creation (3.4 leaves two lines empty there), nothing behind a deletion.
        self.assertEqual([line for line in watching.wait_for(12) if line],
                         ["PUT", "w1", "a", "PUT", "w1", "a", "w1", "b", "DELETE", "w1", "b", "w1"])

    def test_watch_from_revision(self):
        self.ctl("put", "h", "1")
        revision = json.loads(self.ctl("get", "h", "-w", "json"))["header"]["revision"]
        self.ctl("put", "h", "2")
        watching = self.background("watch", "h", f"--rev={revision}")
        self.assertEqual(watching.wait_for(6), ["PUT", "h", "1", "PUT", "h", "2"])
        self.ctl("compaction", str(revision + 1))
        stale = self.background("watch", "h", f"--rev={revision}")
        self.assertIn("required revision has been compacted", "\n".join(stale.wait_for(2, 5)))

    def test_interactive_watch(self):
        watching = self.background("watch", "-i")
        watching.process.stdin.write("watch i\nwatch k --prefix\nprogress\n")
        watching.process.stdin.flush()
        time.sleep(0.7)
        self.ctl("put", "i", "1")
        time.sleep(0.2)
        self.ctl("put", "kk", "2")
        lines = watching.wait_for(7)
        self.assertIn("progress notify: ", "\n".join(lines))
        self.assertEqual([line for line in lines if not line.startswith("progress")],
                         ["PUT", "i", "1", "PUT", "kk", "2"])

    def test_lease(self):
        granted = self.ctl("lease", "grant", "100")
        lease = re.fullmatch(r"lease ([0-9a-f]+) granted with TTL\(100s\)", granted)[1]
        self.ctl("put", "l", "1", f"--lease={lease}")
        self.assertRegex(self.ctl("lease", "timetolive", lease, "--keys"),
                         rf"lease {lease} granted with TTL\(100s\), remaining\((100|9\d)s\), attached keys\(\[l\]\)")
        self.assertIn(lease, self.ctl("lease", "list"))
        self.assertEqual(self.ctl("lease", "keep-alive", "--once", lease), f"lease {lease} keepalived with TTL(100)")
        self.assertEqual(self.ctl("lease", "revoke", lease), f"lease {lease} revoked")
        self.assertEqual(self.ctl("get", "l"), "")
        self.assertEqual(self.ctl("lease", "timetolive", lease), f"lease {lease} already expired")

    def test_lock(self):
        first = self.background("lock", "door")
        held = first.wait_for(1)
        self.assertRegex(held[0], r"^door/[0-9a-f]+$")
        second = self.background("lock", "door")
        time.sleep(0.5)
        self.assertEqual(second.lines(), [])
        first.process.send_signal(2)
        self.assertRegex(second.wait_for(1)[0], r"^door/[0-9a-f]+$")

    def test_elect(self):
        first = self.background("elect", "chair", "one")
        self.assertEqual(first.wait_for(2)[1], "one")
        second = self.background("elect", "chair", "two")
        listening = self.background("elect", "chair", "--listen")
        self.assertEqual(listening.wait_for(2)[1], "one")
        first.process.send_signal(2)
        self.assertEqual(second.wait_for(2)[1], "two")

    def test_endpoint_status(self):
        status = json.loads(self.ctl("endpoint", "status", "-w", "json"))[0]["Status"]
        self.assertGreater(status["dbSize"], 0)
        self.assertEqual(status["leader"], status["header"]["member_id"])
        self.assertIn(suite.server.target, self.ctl("endpoint", "status", "-w", "table"))

    def test_endpoint_health(self):
        done = subprocess.run([self.program, "--endpoints", suite.server.target, "endpoint", "health"],
                              capture_output=True, text=True, env=self.env(), check=False)
        self.assertIn("is healthy", done.stdout + done.stderr)
        self.assertEqual(done.returncode, 0)

    def test_hashkv(self):
        self.ctl("put", "hash", "1")
        first = json.loads(self.ctl("endpoint", "hashkv", "-w", "json"))[0]["HashKV"]["hash"]
        self.assertEqual(first, json.loads(self.ctl("endpoint", "hashkv", "-w", "json"))[0]["HashKV"]["hash"])
        self.ctl("put", "hash", "2")
        self.assertNotEqual(first, json.loads(self.ctl("endpoint", "hashkv", "-w", "json"))[0]["HashKV"]["hash"])

    def test_compaction(self):
        for value in "123":
            self.ctl("put", "c", value)
        revision = json.loads(self.ctl("get", "c", "-w", "json"))["header"]["revision"]
        self.assertEqual(self.ctl("compaction", str(revision)), f"compacted revision {revision}")
        self.assertIn("required revision has been compacted", self.ctl("compaction", str(revision), status=1))
        self.assertIn("required revision has been compacted", self.ctl("get", "c", f"--rev={revision - 1}", status=1))
        self.ctl("put", "c", "4")
        self.assertEqual(self.ctl("compaction", "--physical", str(revision + 1)), f"compacted revision {revision + 1}")

    def test_member_list(self):
        listed = self.ctl("member", "list").split(", ")
        self.assertRegex(listed[0], "^[0-9a-f]+$")
        self.assertEqual(listed[1], "started")
        self.assertIn(f"http://{suite.server.target}", self.ctl("member", "list"))
        self.assertEqual(len(json.loads(self.ctl("member", "list", "-w", "json"))["members"]), 1)

    def test_alarm_list(self):
        self.assertEqual(self.ctl("alarm", "list"), "")

    def test_cluster_wide_commands(self):
        self.assertIn(suite.server.target, self.ctl("endpoint", "status", "--cluster"))

    def test_make_mirror(self):
        self.ctl("put", "from/a", "1")
        self.background("make-mirror", "--prefix", "from/", "--dest-prefix", "to/", "--no-dest-prefix=false",
                        suite.server.target)
        deadline = time.monotonic() + 10
        while self.ctl("get", "to/a") != "to/a\n1" and time.monotonic() < deadline:
            time.sleep(0.1)
        self.ctl("put", "from/b", "2")
        while self.ctl("get", "to/b") != "to/b\n2" and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(self.ctl("get", "to/b"), "to/b\n2")


class Etcdctl34(Cases, unittest.TestCase):
    program = shutil.which("etcdctl") or "/usr/bin/etcdctl"

    def env(self):
        return dict(os.environ, ETCDCTL_API="3")

    def test_version(self):
        self.assertIn("3.4", self.ctl("version"))


class EtcdctlCurrent(Cases, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not tools.have_go() and not tools.is_built("etcdctl"):
            print("SKIPPED: the current etcdctl needs Go to be built", file=sys.stderr)
            raise unittest.SkipTest("no Go, and no etcdctl in the cache")
        cls.program = tools.build_go("etcdctl")

    def test_version(self):
        self.assertIn("3.7", self.ctl("version"))

    def test_get_stream(self):
        for number in range(25):
            self.ctl("put", f"s{number:02d}", "x")
        self.assertEqual(len(self.ctl("get", "s", "--prefix", "--stream").split("\n")), 50)

    def test_check_perf_smoke(self):
        # The load is fixed at 60 s; the first seconds show that every call of it is answered.
        checking = self.background("check", "perf", "--load=s", "--prefix=/perf/")
        time.sleep(4)
        self.assertIsNone(checking.process.poll(), checking.lines())
        self.assertGreater(self.count("/perf/"), 100)


if __name__ == "__main__":
    suite.main(__name__, __doc__)
