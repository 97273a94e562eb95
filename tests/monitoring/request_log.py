#!/usr/bin/python3
"""Request ids and trace context in answers and in the log; slow requests with where their time went:

    request_log.py --lattice PATH
"""

import json
import os
import re
import sys
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, protos  # noqa: E402

rpc = protos.rpc
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
# In every value here, and in a key; never in the log.
SECRET = b"hush"
PHASES = ("admission_s", "queued_s", "appended_s", "fenced_s", "applied_s", "sent_s")


class RequestLog(cases.ServerTest):
    def start(self, **settings):
        env = {"LATTICE_TELEMETRY_JSON_LOGS": "true"}
        env.update({f"LATTICE_{name}": str(value) for name, value in settings.items()})
        return self.server("sqlite", env=env)

    def lines(self, server, message):
        found = [json.loads(line) for line in server.process.log().splitlines() if line.startswith("{")]
        return [line for line in found if line["msg"] == message]

    def wait_for(self, server, message, count=1, **fields):
        """The first so many lines with this message and these fields."""
        def matching():
            return [line for line in self.lines(server, message) if fields.items() <= line.items()]
        cases.eventually(lambda: len(matching()) >= count, f"{count} lines {message!r} with {fields}")
        return matching()

    def put(self, connection, metadata=(), key=b"k", value=SECRET):
        """A finished put: (first metadata, last metadata)."""
        call = connection.start("KV.Put", rpc.PutRequest(key=key, value=value), metadata=metadata)
        call.result()
        return dict(call.initial_metadata()), dict(call.trailing_metadata())

    def test_a_request_keeps_its_id_and_its_trace(self):
        server = self.start(TELEMETRY_LOG_LEVEL="debug")
        connection = self.connect(server)
        first, last = self.put(connection, [("x-request-id", "mine-1"), ("traceparent", TRACE)], key=SECRET)
        self.assertEqual((first["x-request-id"], first["traceparent"]), ("mine-1", TRACE))
        self.assertNotIn("x-request-id", last)
        line, = self.wait_for(server, "request", request_id="mine-1")
        wanted = {"level": "debug", "method": "/etcdserverpb.KV/Put", "code": "OK", "tenant": "default",
                  "trace_id": TRACE[3:35], "span_id": TRACE[36:52], "trace_flags": "01"}
        self.assertEqual({name: line[name] for name in wanted}, wanted)
        self.assertRegex(line["remote"], r"^127\.0\.0\.1:\d+$")
        self.assertLessEqual(line["appended_s"], line["took_s"])

        for broken in ("x" * 129, "two words", ""):
            first, last = self.put(connection, [("x-request-id", broken), ("traceparent", "00-0-0-0")])
            self.assertFalse({"x-request-id", "traceparent"} & set(first))
            self.assertRegex(last["x-request-id"], r"^[0-9a-f]{24}$")
            self.wait_for(server, "request", request_id=last["x-request-id"])

        request = urllib.request.Request(f"http://{server.target}/version", headers={"X-Request-Id": "mine-2"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            self.assertEqual(answer.headers["x-request-id"], "mine-2")
        self.assertNotIn(SECRET.decode(), server.process.log())

    def test_an_error_is_told_at_debug_only(self):
        server = self.start(TELEMETRY_LOG_LEVEL="debug")
        connection = self.connect(server)
        call = connection.start("KV.Range", rpc.RangeRequest(key=b"k", revision=77))
        self.assertIn("future revision", call.exception().details())
        made = dict(call.trailing_metadata())["x-request-id"]
        line, = self.wait_for(server, "request", request_id=made)
        self.assertEqual((line["code"], line["error"]), ("OutOfRange", call.exception().details()))

    def test_no_line_and_no_id_for_ordinary_requests(self):
        server = self.start()
        first, last = self.put(self.connect(server))
        self.assertFalse({"x-request-id"} & (set(first) | set(last)))
        self.assertEqual(self.lines(server, "request") + self.lines(server, "apply request took too long"), [])

    def test_slow_requests_say_where_their_time_went(self):
        server = self.start(TELEMETRY_SLOW_REQUEST_MS=1)
        connection = self.connect(server)
        value = SECRET * (1 << 18)
        calls = [connection.start("KV.Put", rpc.PutRequest(key=SECRET + b"%d" % i, value=value)) for i in range(16)]
        for call in calls:
            call.result()
        for line in self.wait_for(server, "apply request took too long", count=8, method="/etcdserverpb.KV/Put"):
            self.assertEqual((line["level"], line["tenant"], line["code"], line["expected_s"]), ("warn", "default", "OK", 0.001))
            phases = {name: line[name] for name in PHASES if name in line}
            self.assertLessEqual({"appended_s", "applied_s"}, set(phases), line)
            self.assertLessEqual(sum(phases.values()), line["took_s"] + 0.002, line)
        self.assertNotIn(SECRET.decode(), server.process.log())
        self.assertGreaterEqual(self.slow(server), 8)

    def test_of_very_many_slow_requests_some_are_told_and_all_are_counted(self):
        server = self.start(TELEMETRY_SLOW_REQUEST_MS=1, SERVER_THREADS=1)
        connection = self.connect(server)
        calls = [connection.start("KV.Put", rpc.PutRequest(key=b"k", value=SECRET * 4096)) for _ in range(1000)]
        for call in calls:
            call.result()

        def all_are_accounted_for():
            # One more, which is told once lines may be written again, with how many were not.
            connection.call("KV.Put", rpc.PutRequest(key=b"k", value=SECRET * 65536))
            told = self.lines(server, "apply request took too long")
            return len(told) + sum(line.get("untold", 0) for line in told) == self.slow(server)
        cases.eventually(all_are_accounted_for, "each slow request to be told or counted")
        self.assertGreater(self.slow(server), 500)
        self.assertLess(len(self.lines(server, "apply request took too long")), 400)

    def slow(self, server):
        return int(re.search(r"^lattice_slow_requests_total (\d+)$", self.metrics(server), re.M)[1])

    def test_waiting_at_a_limit_is_a_phase(self):
        server = self.start(TELEMETRY_SLOW_REQUEST_MS=50, TENANTS_DEFAULT_QPS_LIMIT=10, TENANTS_DEFAULT_QPS_BURST=1,
                            TENANTS_LIMIT_GRACE_MS=5000)
        connection = self.connect(server)
        for _turn in range(3):
            self.put(connection)
        line = self.wait_for(server, "apply request took too long")[0]
        self.assertGreater(line["admission_s"], 0.05)
        self.assertGreater(line["admission_s"], line["took_s"] / 2)

    def metrics(self, server):
        with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=10) as answer:
            return answer.read().decode()


if __name__ == "__main__":
    cases.main(__doc__)
