#!/usr/bin/python3
"""Lattice governed by a control plane: a real etcd of three members, or another Lattice.

    tests/control_plane/control_plane.py --lattice PATH
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import governed  # noqa: E402
from harness import cases, client, processes, protos, servers  # noqa: E402

rpc = protos.rpc
_PREFIX = governed.PREFIX


class ControlPlane(governed.GovernedTest):
    def state(self, server):
        states = [state for state in ("Fresh", "Cached", "Stale", "Expired")
                  if self.metric(server, f'lattice_cp_cache_state{{state="{state}"}}') == 1]
        self.assertEqual(len(states), 1)
        return states[0]

    def log(self, server):
        with open(server.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_logged(self, server, text):
        cases.eventually(lambda: text in self.log(server), f"{text!r} in the log")

    def get(self, connection, serializable=False, **options):
        return connection.call("KV.Range", rpc.RangeRequest(key=b"k", serializable=serializable), **options)

    def put(self, connection, value, **options):
        return connection.call("KV.Put", rpc.PutRequest(key=b"k", value=value), **options)

    def wait_open(self, connection):
        cases.eventually(lambda: self.refusal(self.get, connection) is None, "linearizable reads")

    def wait_closed(self, connection):
        cases.eventually(lambda: self.refusal(self.get, connection) is not None, "LIN-BOUND to close")
        code, text = self.refusal(self.get, connection)
        self.assertEqual(code, grpc.StatusCode.UNAVAILABLE)
        self.assertRegex(text, "^linearizability unavailable: the control-plane cache is (Stale|Expired)$")

    def limited(self, connection, size, **options):
        """Whether a value of that size is refused."""
        return self.refusal(self.put, connection, b"x" * size, **options) is not None

    def watch(self, stream, revision=0):
        """Creates one; its first answer, or None."""
        stream.send(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"k", start_revision=revision)))
        return stream.receive()

    def check_closed(self, server, connection, stream):
        """What fails and what goes on while LIN-BOUND is closed; `stream` has a watch of k."""
        revision = self.put(connection, b"on").header.revision
        self.assertEqual(stream.receive().events[0].kv.value, b"on")
        self.assertEqual(self.get(connection, serializable=True).kvs[0].value, b"on")
        read = rpc.RequestOp(request_range=rpc.RangeRequest(key=b"k"))
        code, text = self.refusal(connection.call, "KV.Txn", rpc.TxnRequest(success=[read]))
        self.assertEqual((code, text.partition(":")[0]), (grpc.StatusCode.UNAVAILABLE, "linearizability unavailable"))
        with self.assertRaises(grpc.RpcError) as caught:
            self.get(connection)
        details = dict(caught.exception.trailing_metadata())["grpc-status-details-bin"]
        self.assertIn(b"google.rpc.ErrorInfo", details)
        self.assertIn(b"LINEARIZABILITY_UNAVAILABLE", details)
        write = rpc.RequestOp(request_put=rpc.PutRequest(key=b"other", value=b"v"))
        connection.call("KV.Txn", rpc.TxnRequest(success=[read, write]))
        # Watches: from now on a stream of its own, beside one that runs, and from a known revision.
        alone = connection.open("Watch.Watch")
        self.assertIsNone(self.watch(alone))
        self.assertEqual(alone.ended()[0], grpc.StatusCode.UNAVAILABLE)
        beside = self.watch(stream)
        self.assertTrue(beside.created and beside.canceled)
        self.assertIn("linearizability unavailable", beside.cancel_reason)
        known = connection.open("Watch.Watch")
        self.assertTrue(self.watch(known, revision).created)
        self.assertEqual(known.receive().events[0].kv.value, b"on")
        known.cancel()
        self.put(connection, b"again")
        self.assertEqual(stream.receive().events[0].kv.value, b"again")
        self.assertEqual(self.metric(server, "lattice_lin_bound_can_linearize"), 0)
        self.assertEqual(cases.http_status(server.port, "/readyz"), 503)
        self.assertEqual(cases.http_status(server.port, "/readyz/control_plane"), 503)
        self.assertEqual(cases.http_status(server.port, "/livez"), 200)

    # ---- The tests ----

    def test_quorum_of_three(self):
        quorum = self.quorum(3)
        control = self.connect(quorum.servers[0])
        self.document(control, "tenants/default", {"limits": {"value_bytes_max": 10}})
        server = self.governed(quorum.servers, ttl_s=4)
        connection = self.connect(server)
        self.wait_open(connection)
        self.assertEqual(self.state(server), "Fresh")
        self.assertEqual(self.metric(server, "lattice_lin_bound_can_linearize"), 1)
        self.assertTrue(self.limited(connection, 11))
        self.assertFalse(self.limited(connection, 10))
        stream = connection.open("Watch.Watch")
        self.assertTrue(self.watch(stream).created)
        self.check_registered(control, server)
        self.assertEqual(cases.http_status(server.port, "/readyz/control_plane"), 200)

        # The member that answers goes: nobody notices.
        followed = self.followed(server)
        first = next(each for each in quorum.servers if each.target == followed)
        first.kill()
        deadline = time.monotonic() + 20
        while self.followed(server) == followed or self.state(server) != "Fresh":
            self.get(connection)
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

        # One more hangs: the last one lives, and its watches run, but it is a minority.
        rest = [each for each in quorum.servers if each is not first]
        rest[0].process.send(signal.SIGSTOP)
        self.wait_closed(connection)
        self.check_closed(server, connection, stream)
        cases.eventually(lambda: self.state(server) == "Expired", "Expired")

        # The last known documents survive a restart, and say that they are no more than that.
        server.kill()
        server.start()
        connection = self.connect(server)
        self.wait_logged(server, "documents of the control plane, as last known, from disk")
        self.assertEqual(self.refusal(self.get, connection)[0], grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(self.get(connection, serializable=True).kvs[0].value, b"again")
        self.assertTrue(self.limited(connection, 11))
        rest[0].process.send(signal.SIGCONT)
        first.start()
        self.wait_open(connection)
        self.assertEqual(self.state(server), "Fresh")

    def followed(self, server):
        """The endpoint that it has named last."""
        self.wait_logged(server, "following the control plane")
        return re.findall(r"following the control plane.*endpoint=\"?([0-9.:]+)", self.log(server))[-1]

    def check_registered(self, control, server):
        def records():
            return control.call("KV.Range", rpc.RangeRequest(key=_PREFIX + b"nodes/", range_end=_PREFIX + b"nodes0")).kvs
        cases.eventually(records, "a record of the node")
        (record,) = records()
        self.assertTrue(record.lease)
        self.assertTrue(record.key.decode().endswith(f":{server.port}"))
        self.assertEqual(json.loads(record.value)["client_urls"], [f"http://{server.target}"])

    def test_documents(self):
        quorum = self.quorum(1)
        control = self.connect(quorum.servers[0])
        server = self.governed(quorum.servers, "memory", LATTICE_TENANTS_CREATE="a")
        connection = self.connect(server)
        self.wait_open(connection)
        of_a = {"metadata": (("lattice-tenant", "a"),)}

        def soon_limited(limited, size, **options):
            cases.eventually(lambda: self.limited(connection, size, **options) == limited, f"{size} to be {limited}")

        soon_limited(False, 100, **of_a)
        self.document(control, "policies/small", {"limits": {"value_bytes_max": 50}})
        self.document(control, "tenants/a", {"policies": ["small"]})
        soon_limited(True, 51, **of_a)
        self.assertFalse(self.limited(connection, 51))
        self.document(control, "tenants/a", {"policies": ["small"], "limits": {"value_bytes_max": 60}})
        soon_limited(False, 60, **of_a)
        self.assertTrue(self.limited(connection, 61, **of_a))

        # A bad version changes nothing but what operators see.
        self.document(control, "tenants/a", {"limits": {"value_bytes_max": "70"}})
        cases.eventually(lambda: self.metric(server, "lattice_cp_documents_refused") == 1, "a refusal")
        self.wait_logged(server, "limits.value_bytes_max: expected an integer from 0 to")
        self.assertTrue(self.limited(connection, 61, **of_a))
        self.assertFalse(self.limited(connection, 60, **of_a))
        self.document(control, "tenants/a", {"active": False})
        cases.eventually(lambda: (self.refusal(self.get, connection, **of_a) or (0,))[0]
                         == grpc.StatusCode.PERMISSION_DENIED, "the tenant to be inactive")
        self.assertEqual(self.metric(server, "lattice_cp_documents_refused"), 0)
        control.call("KV.DeleteRange", rpc.DeleteRangeRequest(key=_PREFIX + b"tenants/a"))
        soon_limited(False, 1000, **of_a)

        # The node takes its record with it.
        server.stop()
        nodes = rpc.RangeRequest(key=_PREFIX + b"nodes/", range_end=_PREFIX + b"nodes0")
        self.assertEqual(control.call("KV.Range", nodes).count, 0)

    def test_rolled_back(self):
        quorum = self.quorum(1)
        (member,) = quorum.servers
        control = self.connect(member)
        self.document(control, "tenants/default", {"limits": {"value_bytes_max": 5}})
        member.stop()
        before = os.path.join(member.folder, "before")
        shutil.copytree(os.path.join(member.folder, "data"), before)
        member.start()
        control = self.connect(member)
        self.document(control, "tenants/default", {"limits": {"value_bytes_max": 10}})
        server = self.governed([member])
        connection = self.connect(server)
        self.wait_open(connection)
        self.assertTrue(self.limited(connection, 11))

        member.stop()
        data = os.path.join(member.folder, "data")
        shutil.move(data, data + ".after")
        shutil.move(before, data)
        member.start()
        self.wait_closed(connection)
        self.wait_logged(server, "the control plane was rolled back: it is at revision")
        self.assertGreater(self.metric(server, "lattice_cp_refused_answers_total"), 0)
        self.assertFalse(self.limited(connection, 10))

        # Nor is another cluster at the same address believed.
        member.stop()
        other = servers.Etcd(servers.debian_etcd(), "etcd34", name="other")
        self.addCleanup(other.remove)
        other.port = member.port
        other.start()
        self.wait_logged(server, "another control plane answers: cluster")
        self.assertFalse(self.limited(connection, 10))
        self.assertIsNotNone(self.refusal(self.get, connection))
        other.stop()

        # The control plane as it was is.
        shutil.rmtree(data)
        shutil.move(data + ".after", data)
        member.start()
        self.wait_open(connection)

    def test_another_lattice(self):
        above = self.server("sqlite")
        self.assertEqual(self.state(above), "Fresh")
        self.assertEqual(cases.http_status(above.port, "/readyz/control_plane"), 404)
        control = self.connect(above)
        self.document(control, "tenants/default", {"limits": {"value_bytes_max": 10}})
        for number in range(100):  # several pages
            self.document(control, f"policies/p{number}", {"limits": {"keys_max": number}})
        server = self.governed([above], "memory")
        connection = self.connect(server)
        self.wait_open(connection)
        self.assertEqual(self.metric(server, 'lattice_cp_documents{kind="policies"}'), 100)
        self.assertTrue(self.limited(connection, 11))
        self.check_registered(control, server)
        self.document(control, "tenants/default", {"limits": {"value_bytes_max": 20}})
        cases.eventually(lambda: not self.limited(connection, 20), "the other limit")
        # A process that slept too long knows it before it answers.
        above.stop()
        server.process.send(signal.SIGSTOP)
        time.sleep(1.2)
        server.process.send(signal.SIGCONT)
        self.assertIsNotNone(self.refusal(self.get, connection))
        self.wait_closed(connection)
        above.start()
        self.wait_open(connection)

    def test_tls(self):
        pki = os.path.join(processes.scratch_folder("pki"), "pki")
        subprocess.run([self.lattice, "certs", "init", "--dir", pki, "--host", "127.0.0.1"], check=True,
                       capture_output=True)
        member = servers.Etcd(servers.debian_etcd(), "etcd34", scheme="https", extra=[
            "--cert-file", f"{pki}/server.crt", "--key-file", f"{pki}/server.key",
            "--trusted-ca-file", f"{pki}/ca.crt", "--client-cert-auth"])
        self.addCleanup(member.remove)
        member.start()
        secure = {"LATTICE_CONTROL_PLANE_ENDPOINTS": f"https://{member.target}",
                  "LATTICE_CONTROL_PLANE_CA_PATH": f"{pki}/ca.crt"}
        shown = {"LATTICE_CONTROL_PLANE_CERT_PATH": f"{pki}/client.crt",
                 "LATTICE_CONTROL_PLANE_KEY_PATH": f"{pki}/client.key"}
        self.wait_open(self.connect(self.governed([member], "memory", **secure, **shown)))
        # Without a certificate the member does not answer.
        unknown = self.governed([member], "memory", **secure)
        self.wait_logged(unknown, "the control plane does not answer as it should")
        self.assertEqual(self.state(unknown), "Expired")

    def test_no_answer_at_all(self):
        port = processes.free_port()
        nobody = type("Nobody", (), {"target": f"127.0.0.1:{port}"})
        server = self.governed([nobody], "memory")
        connection = client.Client(server.target)
        self.addCleanup(connection.close)
        self.assertEqual(self.state(server), "Expired")
        self.assertEqual(self.refusal(self.get, connection)[0], grpc.StatusCode.UNAVAILABLE)
        self.put(connection, b"v")
        self.assertEqual(self.get(connection, serializable=True).kvs[0].value, b"v")


if __name__ == "__main__":
    cases.main(__doc__)
