"""Checks a history against the promises of reliability.md, section 2. Numbers in messages are its invariants."""

import collections

from history import Outcome, Replay


def check(history):
    """All violations, as text; an empty list for a correct history."""
    replay = Replay(history.log)
    problems = []
    problems += _log_is_contiguous(history)
    problems += _log_is_consistent(history)
    problems += _writes(history)
    problems += _reads(history, replay)
    problems += _real_time(history)
    for watch in history.watches:
        problems += _watch(watch, history)
    problems += _leases(history)
    if history.final_state != replay.final():
        differing = {key for key in set(history.final_state) | set(replay.final())
                     if history.final_state.get(key) != replay.final().get(key)}
        problems.append(f"7: the final state is not the replay of the log; keys {sorted(differing)[:5]}")
    return problems


def _log_is_contiguous(history):
    problems, last = [], 1
    for event in history.log:
        if event.revision not in (last, last + 1) or event.revision == 1:
            problems.append(f"1: revision {event.revision} follows {last}")
        last = event.revision
    if last != history.final_revision:
        problems.append(f"1: the log ends at {last}, the server says {history.final_revision}")
    return problems


def _log_is_consistent(history):
    """Versions and creation revisions follow from the events before."""
    problems, state = [], {}
    for event in history.log:
        before = state.get(event.key)
        if event.value is None:
            if before is None:
                problems.append(f"10: revision {event.revision} deletes {event.key}, which is not there")
            state[event.key] = None
            continue
        version, created = (before[0] + 1, before[1]) if before else (1, event.revision)
        if (event.version, event.create_revision) != (version, created):
            problems.append(f"10: {event.key} at {event.revision}: version {event.version} created {event.create_revision}, "
                            f"not {version} and {created}")
        state[event.key] = (version, created)
    return problems


def _writes(history):
    problems = []
    found = collections.defaultdict(list)
    deletions = collections.defaultdict(list)
    for event in history.log:
        (deletions[event.key] if event.value is None else found[event.value]).append(event)
    requested = {write.value: write for write in history.writes if write.value is not None}
    for value, events in found.items():
        write = requested.get(value)
        if write is None:
            problems.append(f"2: nobody wrote {value}, at {events[0].revision}")
            continue
        revisions = {event.revision for event in events}
        if len(revisions) > 1:
            problems.append(f"4: {value} was applied {len(revisions)} times, at {sorted(revisions)}")
        elif sorted(event.key for event in events) != sorted(write.keys):
            problems.append(f"5: {value} was applied in part, at {events[0].revision}")
        if write.outcome is Outcome.FAILED:
            problems.append(f"5: {value} was refused, but is at {events[0].revision}")
    for value, write in requested.items():
        if write.outcome is Outcome.ACKNOWLEDGED and write.revision not in {event.revision for event in found.get(value, [])}:
            where = [event.revision for event in found.get(value, [])]
            problems.append(f"3: {value} was acknowledged at {write.revision}, but is at {where or 'no revision'}")
    return problems + _deletions(history, deletions)


def _deletions(history, deletions):
    """Deletes carry no value: those of one key are counted."""
    problems = []
    leased = {lease.key for lease in history.leases}
    wanted = collections.defaultdict(list)
    for write in history.writes:
        if write.value is None:
            wanted[write.keys[0]].append(write)
    for key, events in deletions.items():
        if key in leased:
            continue
        revisions = {event.revision for event in events}
        acknowledged = {write.revision for write in wanted[key] if write.outcome is Outcome.ACKNOWLEDGED}
        unknown = sum(write.outcome is Outcome.UNKNOWN for write in wanted[key])
        if len(revisions - acknowledged) > unknown:
            problems.append(f"2: {key} was deleted at {sorted(revisions - acknowledged)}, by nobody")
    for key, writes in wanted.items():
        revisions = {event.revision for event in deletions.get(key, [])}
        for write in writes:
            if write.outcome is Outcome.ACKNOWLEDGED and write.revision not in revisions:
                problems.append(f"3: the deletion of {key} acknowledged at {write.revision} is not there")
    return problems


def _reads(history, replay):
    problems = []
    for read in history.reads:
        event = replay.at(read.key, read.revision)
        there = event is not None and event.value is not None
        expected = (event.value, event.revision) if there else (None, 0)
        if (read.value, read.mod_revision) != expected:
            problems.append(f"7: a read of {read.key} at {read.revision} saw {read.value} of {read.mod_revision}, "
                            f"not {expected}")
        if read.revision > history.final_revision:
            problems.append(f"13: a read saw revision {read.revision}, the log ends at {history.final_revision}")
    return problems


def _real_time(history):
    """An answer's revision is not below that of any answer that was there before its call."""
    problems = []
    answers = [(write.called, write.returned, write.revision, True) for write in history.writes
               if write.outcome is Outcome.ACKNOWLEDGED]
    answers += [(read.called, read.returned, read.revision, False) for read in history.reads]
    by_return = sorted(answers, key=lambda answer: answer[1])
    seen, at = 0, 0
    for called, _returned, revision, wrote in sorted(answers):
        while at < len(by_return) and by_return[at][1] < called:
            seen = max(seen, by_return[at][2])
            at += 1
        if revision < seen or wrote and revision == seen:
            problems.append(f"6: an answer at revision {revision} to a call made after {seen} had been answered")
    return problems


def _watch(watch, history):
    """The events are exactly those of the log, from the start to the last one delivered."""
    last = watch.events[-1].revision if watch.events else watch.start_revision - 1
    expected = [(event.revision, event.key, event.value) for event in history.log
                if watch.start_revision <= event.revision <= last and event.key.startswith(watch.prefix)]
    got = [(event.revision, event.key, event.value) for event in watch.events]
    problems = []
    if got != expected:
        at = next((index for index, pair in enumerate(zip(got, expected)) if pair[0] != pair[1]),
                  min(len(got), len(expected)))
        problems.append(f"21-25: the watch on {watch.prefix} has {got[at:at + 3]} where the log has {expected[at:at + 3]}")
    newest = max((event.revision for event in history.log if event.key.startswith(watch.prefix)), default=last)
    if last < newest:
        problems.append(f"37: the watch on {watch.prefix} ends at {last}, the log at {newest}")
    return problems


def _leases(history):
    problems = []
    for lease in history.leases:
        if lease.seen_deleted is not None and lease.seen_deleted < lease.safe_until:
            problems.append(f"39: {lease.key} expired {lease.safe_until - lease.seen_deleted:.2f} s early")
        if not lease.kept and lease.key in history.final_state:
            problems.append(f"40: {lease.key} with a TTL of {lease.ttl_s} s never expired")
        if lease.kept and lease.key not in history.final_state:
            problems.append(f"39: {lease.key}, kept alive, is gone")
    return problems
