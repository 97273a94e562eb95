#!/usr/bin/python3
"""Runs Python's etcd3 client (Debian's python3-etcd3) against a server.

    tests/conformance/python_etcd3.py --server KIND --lattice PATH
"""

import os
import queue
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import etcd3  # noqa: E402

from harness import suite  # noqa: E402


class PythonClient(unittest.TestCase):
    def setUp(self):
        self.etcd = etcd3.client(host="127.0.0.1", port=suite.server.port, timeout=10)
        # This client's watch thread knows no end: it raises once the channel is closed.
        threading.excepthook = lambda _arguments: None
        self.addCleanup(self.etcd.close)

    def test_put_get_delete(self):
        self.etcd.put("py/a", "1")
        self.etcd.put("py/b", b"\x00\xff")
        value, meta = self.etcd.get("py/a")
        self.assertEqual((value, meta.version), (b"1", 1))
        self.assertEqual([value for value, _ in self.etcd.get_prefix("py/", sort_order="descend")], [b"\x00\xff", b"1"])
        self.assertEqual([value for value, _ in self.etcd.get_range("py/a", "py/b")], [b"1"])
        self.assertTrue(self.etcd.delete("py/a"))
        self.assertFalse(self.etcd.delete("py/a"))
        self.assertEqual(self.etcd.get("py/a"), (None, None))
        self.assertEqual(self.etcd.delete_prefix("py/").deleted, 1)

    def test_conditional_puts(self):
        self.assertTrue(self.etcd.put_if_not_exists("cas", "1"))
        self.assertFalse(self.etcd.put_if_not_exists("cas", "2"))
        self.assertTrue(self.etcd.replace("cas", "1", "3"))
        self.assertFalse(self.etcd.replace("cas", "1", "4"))
        self.assertEqual(self.etcd.get("cas")[0], b"3")

    def test_transaction(self):
        compare, put, get = self.etcd.transactions, self.etcd.transactions.put, self.etcd.transactions.get
        done, answers = self.etcd.transaction(compare=[compare.version("txn") == 0], success=[put("txn", "1"), get("txn")],
                                              failure=[])
        self.assertTrue(done)
        self.assertEqual(answers[1][0][0], b"1")

    def test_watch(self):
        events, cancel = self.etcd.watch_prefix("watch/")
        self.etcd.put("watch/a", "1")
        self.etcd.delete("watch/a")
        first, second = next(events), next(events)
        self.assertIsInstance(first, etcd3.events.PutEvent)
        self.assertEqual((first.key, first.value), (b"watch/a", b"1"))
        self.assertIsInstance(second, etcd3.events.DeleteEvent)
        cancel()

    def test_watch_history_and_compaction(self):
        revisions = [self.etcd.put("old", str(number)).header.revision for number in range(4)]
        seen = queue.Queue()
        watch_id = self.etcd.add_watch_callback("old", seen.put, start_revision=revisions[1])
        values = []
        while len(values) < 3:
            values += [event.value for event in seen.get(timeout=10).events]
        self.assertEqual(values, [b"1", b"2", b"3"])
        self.etcd.cancel_watch(watch_id)
        self.etcd.compact(revisions[2])
        failed = queue.Queue()
        self.etcd.add_watch_callback("old", failed.put, start_revision=revisions[0])
        self.assertIsInstance(failed.get(timeout=10), etcd3.exceptions.RevisionCompactedError)

    def test_lease(self):
        lease = self.etcd.lease(30)
        self.etcd.put("leased", "1", lease=lease)
        self.assertEqual(lease.granted_ttl, 30)
        self.assertGreater(lease.remaining_ttl, 25)
        self.assertEqual(list(lease.keys), [b"leased"])
        self.assertEqual(list(lease.refresh())[0].TTL, 30)
        lease.revoke()
        self.assertEqual(self.etcd.get("leased"), (None, None))

    def test_lease_expires(self):
        lease = self.etcd.lease(2)
        self.etcd.put("short", "1", lease=lease)
        began = time.monotonic()
        while self.etcd.get("short")[0] is not None:
            self.assertLess(time.monotonic() - began, 8)
            time.sleep(0.1)
        self.assertGreater(time.monotonic() - began, 1.8)

    def test_lock(self):
        # Waiting for a lock is not possible with this client: Debian's tenacity is too new for it.
        with self.etcd.lock("door", ttl=20) as held:
            self.assertTrue(held.is_acquired())
            self.assertEqual(list(held.refresh())[0].TTL, 20)
        self.assertFalse(held.is_acquired())

    def test_status_and_members(self):
        status = self.etcd.status()
        self.assertGreater(status.db_size, 0)
        members = list(self.etcd.members)
        self.assertEqual([status.leader.id], [member.id for member in members])
        self.assertEqual(list(self.etcd.list_alarms()), [])

    def test_hash(self):
        self.assertIsInstance(self.etcd.hash(), int)


if __name__ == "__main__":
    suite.main(__name__, __doc__)
