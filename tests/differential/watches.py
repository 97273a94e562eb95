"""The watch streams of one server: answers to requests apart from events, events apart by watch."""

import threading

from harness import protos
from normalise import normalise

rpc = protos.rpc


class Broken(Exception):
    """A stream broke a promise by itself, whatever the other server says."""


class WatchStream:
    """One Watch stream with a reader thread."""

    def __init__(self, client):
        self._stream = client.open("Watch.Watch")
        self._changed = threading.Condition()
        self._control = []
        self.events = {}  # watch id -> list of serialised events and markers, not yet compared
        self._last_revision = {}
        self._pieces = None
        self.problem = None
        self._closed = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while not self._closed:
            response = self._stream.receive(0.2)
            if response is None:
                if self._stream.ended(0) is not None:
                    with self._changed:
                        if not self._closed:
                            self.problem = f"the stream ended: {self._stream.status}"
                        self._changed.notify_all()
                    return
                continue
            with self._changed:
                self._take(response)
                self._changed.notify_all()

    def _take(self, response):
        overtaken = response.canceled and response.compact_revision and not response.created
        if response.created or response.watch_id == -1 or (response.canceled and not overtaken):
            if response.created and not response.canceled:
                self.events[response.watch_id] = []
                self._last_revision[response.watch_id] = 0
            self._control.append(response)
            return
        collected = self.events.setdefault(response.watch_id, [])
        if overtaken:
            collected.append(("compacted", response.compact_revision, response.header.revision, response.cancel_reason))
            return
        self._check(response)
        for event in response.events:
            collected.append(event.SerializeToString(deterministic=True))

    def _check(self, response):
        """Order and atomicity within this watch; see reliability.md, invariants 21 to 23 and 34."""
        revisions = [event.kv.mod_revision for event in response.events]
        last = self._last_revision.get(response.watch_id, 0)
        continued = self._pieces == response.watch_id
        if self._pieces is not None and not continued:
            self.problem = "fragments of two watches are mixed"
        if revisions != sorted(revisions):
            self.problem = f"watch {response.watch_id}: events out of order: {revisions}"
        if revisions and (revisions[0] < last or revisions[0] == last and not continued):
            self.problem = f"watch {response.watch_id}: revision {revisions[0]} after {last}"
        if revisions and response.header.revision < revisions[-1]:
            self.problem = f"watch {response.watch_id}: header {response.header.revision} behind event {revisions[-1]}"
        if revisions:
            self._last_revision[response.watch_id] = revisions[-1]
        self._pieces = response.watch_id if response.fragment else None

    def send(self, request):
        self._stream.send(request)

    def answer(self, timeout_s):
        """The next answer to a request, normalised, or None."""
        with self._changed:
            self._changed.wait_for(lambda: self._control or self.problem, timeout_s)
            if self.problem:
                raise Broken(self.problem)
            return normalise(None, self._control.pop(0)) if self._control else None

    def drain(self):
        """Takes what has been collected so far: watch id -> list."""
        with self._changed:
            if self.problem:
                raise Broken(self.problem)
            taken = self.events
            self.events = {watch_id: [] for watch_id in taken}
            return taken

    def close(self):
        self._closed = True
        self._stream.cancel()
