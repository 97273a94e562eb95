"""What the clients of a crash test saw, and the log that the server shows at the end."""

import bisect
import dataclasses
import enum


class Outcome(enum.Enum):
    """What a client may conclude from the answer to a write (reliability.md, section 6)."""

    ACKNOWLEDGED = 1
    FAILED = 2
    UNKNOWN = 3


@dataclasses.dataclass
class Write:
    """One write. `value` is unique; a delete has none. Times are monotonic seconds around the call."""

    value: bytes
    keys: tuple
    called: float
    returned: float = 0.0
    outcome: Outcome = Outcome.UNKNOWN
    revision: int = 0


@dataclasses.dataclass
class Read:
    """One linearizable read of one key."""

    key: bytes
    called: float
    returned: float
    revision: int
    value: bytes  # None when the key was not there
    mod_revision: int


@dataclasses.dataclass
class Event:
    """One event as a watch delivers it."""

    key: bytes
    value: bytes  # None for a deletion
    revision: int
    create_revision: int = 0
    version: int = 0
    lease: int = 0


@dataclasses.dataclass
class WatchLog:
    """Everything one watcher got, over all its resumptions."""

    prefix: bytes
    start_revision: int
    events: list = dataclasses.field(default_factory=list)
    resumptions: int = 0


@dataclasses.dataclass
class Lease:
    """A lease with its key. It must not end before `safe_until` (last answered renewal's call + TTL)."""

    key: bytes
    ttl_s: float
    safe_until: float
    kept: bool
    seen_deleted: float = None


@dataclasses.dataclass
class History:
    """All of it; `log` is the list of events from revision 2 on."""

    writes: list = dataclasses.field(default_factory=list)
    reads: list = dataclasses.field(default_factory=list)
    watches: list = dataclasses.field(default_factory=list)
    leases: list = dataclasses.field(default_factory=list)
    log: list = dataclasses.field(default_factory=list)
    final_revision: int = 1
    final_state: dict = dataclasses.field(default_factory=dict)


class Replay:
    """The state at every revision of a log."""

    def __init__(self, log):
        self._versions = {}
        for event in log:
            self._versions.setdefault(event.key, []).append(event)
        self._revisions = {key: [event.revision for event in events] for key, events in self._versions.items()}

    def at(self, key, revision):
        """The event that made the key what it is at that revision, or None."""
        at = bisect.bisect_right(self._revisions.get(key, []), revision)
        return self._versions[key][at - 1] if at else None

    def final(self):
        """key -> (value, mod_revision) of the keys that are there at the end."""
        return {key: (events[-1].value, events[-1].revision) for key, events in self._versions.items()
                if events[-1].value is not None}
