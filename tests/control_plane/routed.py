"""What tests share whose nodes pass requests on: three Lattice nodes on one PostgreSQL, governed by a real etcd."""

import threading
import time

import grpc

import governed
from harness import cases, protos, servers

rpc = protos.rpc
EPOCH = "lattice-routing-epoch"
OF_A = (("lattice-tenant", "a"),)
_TTL_S = 30
_ENV = {"LATTICE_TENANTS_CREATE": "a", "LATTICE_SERVER_THREADS": "2"}


class Load(threading.Thread):
    """Numbered puts of one key, one after the other, through one connection; each must succeed."""

    def __init__(self, connection, key, metadata=None):
        super().__init__(daemon=True)
        self._connection, self.key, self._metadata = connection, key, metadata
        self._ending = threading.Event()
        self.acknowledged, self.problems, self.longest_s = 0, [], 0

    def run(self):
        while not self._ending.is_set():
            began = time.monotonic()
            try:
                self.step()
            except grpc.RpcError as error:
                self.problems.append((self.acknowledged, round(time.monotonic() - began, 3), error.code(), error.details()))
                return
            self.longest_s = max(self.longest_s, time.monotonic() - began)
            self.acknowledged += 1

    def step(self):
        self.call("KV.Put", rpc.PutRequest(key=self.key, value=b"%d" % (self.acknowledged + 1)))
        self.call("KV.Range", rpc.RangeRequest(key=self.key))

    def call(self, name, request):
        return self._connection.call(name, request, metadata=self._metadata)

    def end(self):
        self._ending.set()
        self.join(20)
        return self.acknowledged


class RoutedTest(governed.GovernedTest):
    @classmethod
    def setUpClass(cls):
        cls.plane = servers.etcd_cluster(servers.debian_etcd(), "etcd34", 1, **cls.plane_options())
        cls.addClassCleanup(cls.plane.remove)
        cls.plane.start()
        database = servers.shared_postgres()
        cls.url = database.url(database.new_database())
        cls.env = {**governed.governed_by(cls.plane.servers, _TTL_S), **_ENV, **cls.links()}
        cls.nodes = servers.lattice_cluster(cls.lattice, cls.url, env=cls.env)
        cls.addClassCleanup(cls.nodes.remove)
        cls.nodes.start()
        cls.epoch = 0

    @classmethod
    def plane_options(cls):
        """Options of servers.etcd_cluster() for the control plane."""
        return {}

    @classmethod
    def links(cls):
        """The environment that says how the nodes reach each other, and the control plane."""
        return {}

    def credentials(self):
        """With which the test itself calls the control plane; None: plaintext."""
        return None

    def setUp(self):
        self.control = self.connect(self.plane.servers[0], self.credentials())
        self.n1, self.n2, self.n3 = (self.connect(server) for server in self.nodes.servers)
        self.route(["n1"])

    def route(self, nodes, tenant="default", wait=True, **more):
        """From now on these serve the tenant; `wait`: and all know it."""
        type(self).epoch += 1
        self.document(self.control, f"routing/{tenant}", {"nodes": nodes, **more})
        self.document(self.control, f"tenants/{tenant}", {"routing_epoch": self.epoch})
        for node in (self.n1, self.n2, self.n3) if wait else ():
            cases.eventually(lambda node=node: self.refusal(
                self.get, node, metadata=((EPOCH, str(self.epoch)), ("lattice-tenant", tenant))) is None, "the routing")

    def get(self, connection, key=b"k", serializable=False, **options):
        return connection.call("KV.Range", rpc.RangeRequest(key=key, serializable=serializable), **options)

    def put(self, connection, value=b"v", key=b"k", **options):
        return connection.call("KV.Put", rpc.PutRequest(key=key, value=value), **options)

    def leads(self, connection, metadata=None):
        """Whether the node, which serves the tenant, leads it."""
        status = connection.call("Maintenance.Status", rpc.StatusRequest(), metadata=metadata)
        return status.leader == status.header.member_id
