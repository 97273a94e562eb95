#!/usr/bin/python3
"""What the tenants of a process share on PostgreSQL: its connections, its session, and its looks at the logs.

    tests/tenants/sharing.py --lattice PATH
"""

import os
import sys
import time

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, protos, servers  # noqa: E402

rpc = protos.rpc
IDLE = 950
USED = 50
# Appends (one: [backend] pool_size is 1 here), the session, loads, maintenance, LISTEN, NOTIFY.
CONNECTIONS_OF_A_PROCESS = 6


class Sharing(cases.ServerTest):
    def query(self, sql):
        return servers.shared_postgres().query(sql, self.database)

    def connections(self):
        rows = self.query("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                          " AND application_name LIKE 'lattice %'")
        return int(rows[0][0])

    def transactions(self):
        time.sleep(1.2)  # the server counts a second late
        return int(self.query("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")[0][0])

    def rate(self, seconds=2):
        before, began = self.transactions(), time.monotonic()
        time.sleep(seconds)
        return (self.transactions() - before) / (time.monotonic() - began)

    def call(self, connection, tenant, name, request):
        return connection.call(name, request, metadata=(("lattice-tenant", tenant),))

    def use(self, leader, follower, tenants):
        for tenant in tenants:
            self.call(leader, tenant, "KV.Put", rpc.PutRequest(key=b"k", value=tenant.encode()))
        for tenant in tenants:
            found = self.call(follower, tenant, "KV.Range", rpc.RangeRequest(key=b"k"))
            self.assertEqual(found.kvs[0].value, tenant.encode())

    def test_tenants_in_use_share_connections_a_session_and_looks(self):
        names = [f"team-{number:04}" for number in range(IDLE + USED)]
        url = servers.shared_postgres().url(servers.shared_postgres().new_database())
        self.database = url.rpartition("/")[2]
        cluster = servers.lattice_cluster(self.lattice, url, 2, env={
            "LATTICE_TENANTS_TRUST_METADATA": "true", "LATTICE_TENANTS_IDLE_STOP_MS": "600000",
            "LATTICE_BACKEND_POOL_SIZE": "1"})
        self.addCleanup(cluster.remove)
        cluster.start()
        self.query("INSERT INTO lattice.logs (log_no, tenant, log_id) SELECT 100 + n, 'team-' || lpad(n::text, 4, '0'),"
                   f" decode(md5(n::text), 'hex') FROM generate_series(0, {len(names) - 1}) n;"
                   " INSERT INTO lattice.meta VALUES ('tenants_version', '1000')"
                   " ON CONFLICT (key) DO UPDATE SET value = '1000'")
        leader, follower = (self.connect(node) for node in cluster.servers)
        for connection in (leader, follower):
            cases.eventually(lambda connection=connection: self.known(connection, names[0]), "the list of tenants")
        idle = self.connections()
        self.assertLessEqual(idle, 2 * CONNECTIONS_OF_A_PROCESS)
        idle_rate = self.rate()
        self.use(leader, follower, names[:USED])
        used, used_rate = self.connections(), self.rate()
        sessions = int(self.query("SELECT count(*) FROM lattice.session WHERE NOT dead")[0][0])
        print(f"connections of two processes: {idle} with {len(names)} tenants idle, {used} with {USED} in use; "
              f"transactions/s: {idle_rate:.1f} and {used_rate:.1f}")
        self.assertEqual(sessions, 2)
        self.assertLessEqual(used, 2 * CONNECTIONS_OF_A_PROCESS)
        # Were each of them to look for itself, 50 followers would ask some 500 times a second.
        self.assertLess(used_rate, idle_rate + 30)

    def appending(self):
        return int(self.query("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                              " AND application_name = 'lattice append'")[0][0])

    def test_connections_for_writes_are_opened_as_tenants_are_loaded(self):
        names = [f"w{number}" for number in range(6)]
        url = servers.shared_postgres().url(servers.shared_postgres().new_database())
        self.database = url.rpartition("/")[2]
        cluster = servers.lattice_cluster(self.lattice, url, 1, env={
            "LATTICE_TENANTS_TRUST_METADATA": "true", "LATTICE_TENANTS_CREATE": ",".join(names),
            "LATTICE_BACKEND_POOL_SIZE": "3"})
        self.addCleanup(cluster.remove)
        cluster.start()
        connection = self.connect(cluster.servers[0])
        cases.eventually(lambda: self.appending() == 1, "a connection for the default tenant")
        cases.eventually(lambda: self.known(connection, names[0]), "the list of tenants")
        for most, name in zip((2, 3, 3, 3, 3, 3), names):
            self.call(connection, name, "KV.Put", rpc.PutRequest(key=b"k", value=name.encode()))
            self.assertEqual(self.appending(), most)
        for name in names:
            found = self.call(connection, name, "KV.Range", rpc.RangeRequest(key=b"k"))
            self.assertEqual(found.kvs[0].value, name.encode())

    def known(self, connection, tenant):
        try:
            self.call(connection, tenant, "KV.Range", rpc.RangeRequest(key=b"k"))
        except grpc.RpcError:
            return False
        return True


if __name__ == "__main__":
    cases.main(__doc__)
