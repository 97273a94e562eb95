#!/usr/bin/python3
"""The checker against histories that are wrong in exactly one way: each must be found, the good one must pass."""

import copy
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from checker import check  # noqa: E402
from history import Event, History, Lease, Outcome, Read, WatchLog, Write  # noqa: E402

ACK, FAILED, UNKNOWN = Outcome.ACKNOWLEDGED, Outcome.FAILED, Outcome.UNKNOWN


def good():
    """A small correct history: puts, a two-key transaction, a deletion, unknown outcomes that did and did not land."""
    history = History()
    history.log = [
        Event(b"k/1", b"a", 2, 2, 1), Event(b"k/2", b"b", 3, 3, 1), Event(b"k/1", b"c", 4, 2, 2),
        Event(b"pair/1", b"c", 4, 4, 1), Event(b"own/1", b"d", 5, 5, 1), Event(b"own/1", None, 6),
        Event(b"k/2", b"landed", 7, 3, 2), Event(b"lease/0", b"l", 8, 8, 1), Event(b"lease/0", None, 9),
        Event(b"own/1", b"e", 10, 10, 1), Event(b"own/1", None, 11)]
    history.writes = [
        Write(b"a", (b"k/1",), 1.0, 1.1, ACK, 2), Write(b"b", (b"k/2",), 1.2, 1.3, ACK, 3),
        Write(b"c", (b"k/1", b"pair/1"), 1.4, 1.5, ACK, 4), Write(b"d", (b"own/1",), 1.6, 1.7, ACK, 5),
        Write(None, (b"own/1",), 1.8, 1.9, ACK, 6), Write(b"landed", (b"k/2",), 2.0, 0.0, UNKNOWN),
        Write(b"lost", (b"k/2",), 2.0, 0.0, UNKNOWN), Write(b"refused", (b"k/2",), 2.0, 2.1, FAILED),
        Write(b"l", (b"lease/0",), 2.2, 2.3, ACK, 8), Write(b"e", (b"own/1",), 6.0, 6.1, ACK, 10),
        Write(None, (b"own/1",), 6.2, 0.0, UNKNOWN)]
    history.reads = [Read(b"k/1", 1.15, 1.2, 2, b"a", 2), Read(b"k/1", 1.55, 1.6, 4, b"c", 4),
                     Read(b"own/1", 1.95, 2.0, 6, None, 0)]
    history.watches = [WatchLog(b"k/", 2, [event for event in history.log if event.key.startswith(b"k/")])]
    history.leases = [Lease(b"lease/0", 3, 5.2, kept=False, seen_deleted=5.4)]
    history.final_revision = 11
    history.final_state = {b"k/1": (b"c", 4), b"pair/1": (b"c", 4), b"k/2": (b"landed", 7)}
    return history


def write(history, value):
    return next(one for one in history.writes if one.value == value)


class Checker(unittest.TestCase):
    def assert_found(self, number, corrupt):
        history = copy.deepcopy(good())
        corrupt(history)
        problems = check(history)
        self.assertTrue(any(problem.startswith(number) for problem in problems), problems)

    def test_the_good_history_passes(self):
        self.assertEqual(check(good()), [])

    def test_a_gap_in_the_revisions(self):
        def corrupt(history):
            del history.log[4]
        self.assert_found("1:", corrupt)

    def test_a_log_that_ends_early(self):
        def corrupt(history):
            history.final_revision = 12
        self.assert_found("1:", corrupt)

    def test_a_lost_acknowledged_write(self):
        def corrupt(history):
            write(history, b"lost").outcome, write(history, b"lost").revision = ACK, 7
        self.assert_found("3:", corrupt)

    def test_an_acknowledgement_with_another_revision(self):
        def corrupt(history):
            write(history, b"d").revision = 4
        self.assert_found("3:", corrupt)

    def test_a_write_applied_twice(self):
        def corrupt(history):
            history.log.append(Event(b"k/2", b"landed", 12, 3, 3))
            history.final_revision = 12
        self.assert_found("4:", corrupt)

    def test_a_transaction_applied_in_part(self):
        def corrupt(history):
            del history.log[3]
        self.assert_found("5:", corrupt)

    def test_a_refused_write_that_is_there(self):
        def corrupt(history):
            write(history, b"landed").outcome = FAILED
        self.assert_found("5:", corrupt)

    def test_a_write_by_nobody(self):
        def corrupt(history):
            history.writes.remove(write(history, b"landed"))
        self.assert_found("2:", corrupt)

    def test_a_deletion_by_nobody(self):
        def corrupt(history):
            history.writes.pop()
        self.assert_found("2:", corrupt)

    def test_a_lost_deletion(self):
        def corrupt(history):
            history.writes[-1].outcome, history.writes[-1].revision = ACK, 12
        self.assert_found("3:", corrupt)

    def test_a_wrong_version(self):
        def corrupt(history):
            history.log[2].version = 3
        self.assert_found("10:", corrupt)

    def test_a_deletion_of_what_is_not_there(self):
        def corrupt(history):
            history.log[9:] = [Event(b"own/1", None, 10), Event(b"k/9", b"x", 11, 11, 1)]
        self.assert_found("10:", corrupt)

    def test_a_stale_read(self):
        def corrupt(history):
            history.reads[1] = Read(b"k/1", 1.55, 1.6, 2, b"a", 2)
        self.assert_found("6:", corrupt)

    def test_a_write_that_shares_a_revision(self):
        def corrupt(history):
            write(history, b"b").revision = 2
        self.assert_found("6:", corrupt)

    def test_a_read_of_a_wrong_value(self):
        def corrupt(history):
            history.reads[1].value = b"a"
        self.assert_found("7:", corrupt)

    def test_a_read_beyond_the_log(self):
        def corrupt(history):
            history.reads[1].revision = 99
        self.assert_found("13:", corrupt)

    def test_a_final_state_that_differs(self):
        def corrupt(history):
            del history.final_state[b"pair/1"]
        self.assert_found("7:", corrupt)

    def test_a_watch_with_a_gap(self):
        def corrupt(history):
            del history.watches[0].events[1]
        self.assert_found("21-25:", corrupt)

    def test_a_watch_with_a_duplicate(self):
        def corrupt(history):
            events = history.watches[0].events
            events.insert(1, events[1])
        self.assert_found("21-25:", corrupt)

    def test_a_watch_out_of_order(self):
        def corrupt(history):
            events = history.watches[0].events
            events[1], events[2] = events[2], events[1]
        self.assert_found("21-25:", corrupt)

    def test_a_watch_that_stops(self):
        def corrupt(history):
            history.watches[0].events.pop()
        self.assert_found("37:", corrupt)

    def test_a_lease_that_ends_early(self):
        def corrupt(history):
            history.leases[0].seen_deleted = 4.0
        self.assert_found("39:", corrupt)

    def test_a_lease_that_never_ends(self):
        def corrupt(history):
            history.log[8:] = []
            history.final_revision = 8
            history.final_state[b"lease/0"] = (b"l", 8)
        self.assert_found("40:", corrupt)

    def test_a_kept_lease_that_is_gone(self):
        def corrupt(history):
            history.leases[0].kept = True
        self.assert_found("39:", corrupt)


if __name__ == "__main__":
    unittest.main()
