"""Runs the commands of a scenario against one server and returns what they print."""

import re
import time

import grpc

import http_lines
import transactions
from harness import client, protos, text

_UNARY = {
    "range": "KV.Range", "put": "KV.Put", "delete": "KV.DeleteRange", "compact": "KV.Compact",
    "grant": "Lease.LeaseGrant", "revoke": "Lease.LeaseRevoke", "ttl": "Lease.LeaseTimeToLive",
    "leases": "Lease.LeaseLeases", "status": "Maintenance.Status", "hash": "Maintenance.Hash",
    "hashkv": "Maintenance.HashKV", "alarm": "Maintenance.Alarm", "members": "Cluster.MemberList",
    "lock": "Lock.Lock", "unlock": "Lock.Unlock", "campaign": "Election.Campaign",
    "proclaim": "Election.Proclaim", "leader": "Election.Leader", "resign": "Election.Resign",
    "health": "Health.Check",
}
_STREAMS = {"watch": "Watch.Watch", "keepalive": "Lease.LeaseKeepAlive", "observe": "Election.Observe",
            "healthwatch": "Health.Watch"}

# How long something that must come may take, and how long silence is listened to.
_PATIENCE_S = 8.0
_SILENCE_S = 0.4


class Session:
    """The state of one scenario: its client, its open streams, its variables."""

    def __init__(self, server):
        self._server = server
        self._printer = text.Printer()
        self._printer.texts[server.target.encode()] = "target"
        self._variables = {}
        self._streams = {}
        self._jobs = {}
        self._client = client.Client(server.target)

    def close(self):
        for stream in self._streams.values():
            stream.cancel()
        for job in self._jobs.values():
            job.cancel()
        self._client.close()

    def run(self, command):
        """Runs one command (a list of lines); returns the lines it prints."""
        first = self._substitute(command[0])
        word, _, rest = first.partition(" ")
        try:
            if word in _STREAMS:
                return self._stream(word, rest)
            if word in _UNARY or word in ("call", "txn"):
                return self._unary(self._request([first] + command[1:]))
            handler = getattr(self, "_do_" + word, None)
            if handler is None:
                raise text.BadScript(f"unknown command {word}")
            return handler(rest, command[1:])
        except grpc.RpcError as error:
            return text.print_error(error)

    def _substitute(self, line):
        return re.sub(r"\$(\w+)", lambda match: self._variables.get(match[1], match[0]), line)

    # Requests

    def _request(self, command):
        """(method name, message, options) of a unary command."""
        word, _, rest = command[0].partition(" ")
        if word == "call":
            method, _, rest = rest.partition(" ")
        elif word == "txn":
            method = "KV.Txn"
        else:
            method = _UNARY[word]
        options, pairs = {}, []
        for name, value in text.tokenize(rest):
            if name in ("save", "near", "metadata", "timeout_ms"):
                options.setdefault(name, []).append(value)
            else:
                pairs.append((name, value))
        message = text.fill(protos.METHODS[method].request_type(), pairs)
        if word == "txn":
            transactions.fill(message, [self._substitute(line) for line in command[1:]])
        return method, message, options

    def _unary(self, request):
        method, message, options = request
        metadata = [tuple(item.split(":", 1)) for item in options.get("metadata", [])] or None
        timeout_s = int(options.get("timeout_ms", ["15000"])[0]) / 1000
        if protos.METHODS[method].server_streams:
            return self._read_all(method, message)
        return self._answer(self._client.call(method, message, timeout_s, metadata), options)

    def _answer(self, response, options):
        for item in options.get("save", []):
            name, _, path = item.partition(":")
            value = response
            for step in path.split("."):
                value = getattr(value, step)
            if isinstance(value, bytes):
                self._variables[name] = text.escape(value).strip('"')
                self._printer.texts[value] = name
            else:
                self._variables[name] = str(value)
                if path.split(".")[-1] in ("ID", "lease"):
                    self._printer.names[value] = name
        for item in options.get("near", []):
            # near=TTL:10:2 prints 10 for anything from 8 to 10: the clock runs while the test does.
            field, expected, slack = item.split(":")
            if int(expected) - int(slack) <= getattr(response, field) <= int(expected):
                setattr(response, field, int(expected))
        return self._printer.lines(response)

    def _read_all(self, method, message):
        """A server stream read to its end: every message, for RangeStream merged as clients do."""
        stream = self._client.open(method, message)
        responses = []
        while True:
            response = stream.receive(_PATIENCE_S)
            if response is None:
                break
            responses.append(response)
        status = stream.ended(0)
        if method != "KV.RangeStream":
            return [line for response in responses for line in self._printer.lines(response)] + _status_lines(status)
        merged = protos.rpc.RangeResponse()
        early_headers = 0
        for index, response in enumerate(responses):
            part = response.range_response
            if index + 1 < len(responses) and (part.HasField("header") or part.count or part.more):
                early_headers += 1
            merged.MergeFrom(part)
        lines = self._printer.lines(merged) if responses else []
        if early_headers:
            lines.append(f"header, more or count in {early_headers} chunks before the last")
        return lines + (_status_lines(status) if status[0] != grpc.StatusCode.OK else [])

    # Streams

    def _stream(self, word, rest):
        name, _, rest = rest.partition(" ")
        if name not in self._streams:
            method = protos.METHODS[_STREAMS[word]]
            pairs = text.tokenize(rest)
            metadata = [tuple(value.split(":", 1)) for key, value in pairs if key == "metadata"] or None
            request = None
            if not method.client_streams:
                request = text.fill(method.request_type(), [pair for pair in pairs if pair[0] != "metadata"])
            self._streams[name] = self._client.open(_STREAMS[word], request, metadata)
            return ["opened"]
        stream = self._streams[name]
        verb, _, rest = rest.partition(" ")
        if verb == "half_close":
            stream.half_close()
        elif verb == "close":
            stream.cancel()
        elif word == "keepalive":
            stream.send(text.fill(protos.rpc.LeaseKeepAliveRequest(), text.tokenize(rest)))
        else:
            request = protos.rpc.WatchRequest()
            if verb != "empty":
                arm = getattr(request, verb + "_request")
                arm.SetInParent()
                text.fill(arm, text.tokenize(rest))
            stream.send(request)
        return ["sent"]

    def _do_recv(self, rest, _below):
        """recv NAME [n=1] [near=...]: the next responses exactly as they came."""
        name, count, options = _name_and_count(rest)
        lines = []
        for _ in range(count):
            response = self._streams[name].receive(_PATIENCE_S)
            if response is None:
                return lines + ["(nothing more)"]
            lines += self._answer(response, options)
        return lines

    def _do_events(self, rest, _below):
        """events NAME n=5: that many events, however they are spread over responses; says where a revision was split."""
        name, count, _options = _name_and_count(rest)
        lines, seen, last_revision, continues = [], 0, 0, False
        while seen < count:
            response = self._streams[name].receive(_PATIENCE_S)
            if response is None:
                return lines + ["(nothing more)"]
            if not response.events:
                lines += self._printer.lines(response)
            for event in response.events:
                if event.kv.mod_revision < last_revision:
                    lines.append("REVISION GOES BACK")
                last_revision = event.kv.mod_revision
            if response.events and response.header.revision < last_revision:
                lines.append("HEADER BEHIND ITS EVENTS")
            if continues and not response.events:
                lines.append("FRAGMENTS INTERRUPTED")
            continues = response.fragment
            seen += len(response.events)
            lines += [line.strip() for line in self._printer.lines(protos.rpc.WatchResponse(
                events=response.events))[1:]]
        return lines

    def _do_recvsorted(self, rest, _below):
        """recvsorted NAME n=5: the next responses of several watches, whose order among each other is not defined."""
        name, count, options = _name_and_count(rest)
        responses = []
        while len(responses) < count:
            response = self._streams[name].receive(_PATIENCE_S)
            if response is None:
                break
            responses.append(response)
        lines = [line for response in sorted(responses, key=lambda one: one.watch_id)
                 for line in self._answer(response, options)]
        return lines if len(responses) == count else lines + ["(nothing more)"]

    def _do_count(self, rest, _below):
        """count NAME n=2500: reads that many events; prints their number, order and extent, not each of them."""
        name, count, _options = _name_and_count(rest)
        events = []
        while len(events) < count:
            response = self._streams[name].receive(_PATIENCE_S)
            if response is None:
                break
            events.extend(response.events)
        revisions = [event.kv.mod_revision for event in events]
        order = "in order" if revisions == sorted(revisions) else "OUT OF ORDER"
        return [f"{len(events)} events, {len(set(revisions))} revisions from {min(revisions)} to {max(revisions)}, {order}"]

    def _do_fragments(self, rest, _below):
        """fragments NAME n=6: that many events out of fragments; checks that there are several and they fit together."""
        name, count, _options = _name_and_count(rest)
        parts, events = [], 0
        while events < count:
            response = self._streams[name].receive(_PATIENCE_S)
            if response is None:
                return ["(nothing more)"]
            parts.append(response)
            events += len(response.events)
        flags = [part.fragment for part in parts]
        headers = {part.header.revision for part in parts}
        return ["split" if len(parts) > 1 else "NOT SPLIT",
                "all but the last marked" if flags == [True] * (len(parts) - 1) + [False] else f"FLAGS {flags}",
                f"one header: {len(headers) == 1}",
                f"each below 2 MiB: {all(part.ByteSize() < 2 << 20 for part in parts)}"] + [
                    line.strip() for part in parts for line in self._printer.lines(part)[1:]]

    def _do_quiet(self, rest, _below):
        """quiet NAME: nothing comes for a while."""
        response = self._streams[rest.strip()].receive(_SILENCE_S)
        if response is not None:
            return self._printer.lines(response)
        status = self._streams[rest.strip()].ended(0)
        return ["quiet"] if status is None else _status_lines(status)

    def _do_end(self, rest, _below):
        """end NAME: waits for the stream's end and prints its status."""
        name = rest.strip()
        lines = []
        while True:
            response = self._streams[name].receive(_PATIENCE_S)
            if response is None:
                break
            lines += self._printer.lines(response)
        status = self._streams[name].ended(_PATIENCE_S)
        return lines + (["(still open)"] if status is None else _status_lines(status))

    # Calls that wait

    def _do_start(self, rest, below):
        """start NAME COMMAND...: sends the call and does not wait."""
        name, _, command = rest.partition(" ")
        method, message, options = self._request([command] + below)
        self._jobs[name] = self._client.start(method, message)
        self._jobs[name].options = options
        return ["started"]

    def _do_pending(self, rest, _below):
        """pending NAME: the call is still not answered after a while."""
        job = self._jobs[rest.strip()]
        time.sleep(_SILENCE_S)
        return ["answered"] if job.done() else ["pending"]

    def _do_done(self, rest, _below):
        """done NAME: waits for the answer."""
        job = self._jobs[rest.strip()]
        try:
            return self._answer(job.result(timeout=_PATIENCE_S * 2), job.options)
        except grpc.FutureTimeoutError:
            return ["(no answer)"]

    def _do_cancel(self, rest, _below):
        self._jobs[rest.strip()].cancel()
        return ["cancelled"]

    # Others

    def _do_for(self, rest, below):
        """for I 1 50 + an indented command with $I: runs it, prints the last answer."""
        name, first, last = rest.split()
        lines = []
        for number in range(int(first), int(last) + 1):
            self._variables[name] = str(number)
            self._variables[name + "3"] = f"{number:03d}"
            lines = self.run([line[2:] for line in below])
        return [f"{int(last) - int(first) + 1} times, the last:"] + lines

    def _do_sleep(self, rest, _below):
        time.sleep(int(dict(text.tokenize(rest))["ms"]) / 1000)
        return []

    def _do_http(self, rest, below):
        return http_lines.request(self._server, rest, [line.strip() for line in below])

    def _do_restart(self, rest, _below):
        """restart / restart kill: stops (or kills) the server and starts it on the same data."""
        self._client.close()
        self._streams.clear()
        self._jobs.clear()
        if rest.strip() == "kill":
            self._server.kill()
        else:
            self._server.stop()
        self._server.start()
        self._client = client.Client(self._server.target)
        return ["restarted"]


def _name_and_count(rest):
    name, _, rest = rest.strip().partition(" ")
    options = {}
    for key, value in text.tokenize(rest):
        options.setdefault(key, []).append(value)
    return name, int(options.pop("n", ["1"])[0]), options


def _status_lines(status):
    code, details = status
    return [f"(ended {code.name}{': ' + details if details else ''})"]
