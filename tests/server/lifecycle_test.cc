// Start, health, metrics, shutdown, and what the rest of the API answers.
#include <filesystem>
#include <sstream>

#include "proto/health.pb.h"
#include "server/exit_status.h"
#include "server/health_command.h"
#include "server/running_server.h"

namespace lattice::server::testing {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

TEST_CASE("the health family answers as etcd's does") {
  RunningServer server;
  TestClient client(server.address());
  auto health = client.http("GET", "/health");
  CHECK(health.http_status == 200);
  CHECK(health.body == "{\"health\":\"true\",\"reason\":\"\"}");
  auto head = client.http("POST", "/health", "x");
  CHECK(head.http_status == 405);
  CHECK(head.headers["allow"] == "GET");
  CHECK(head.body == "Method Not Allowed\n");
  for (const char* path : {"/livez", "/healthz", "/readyz", "/readyz/linearizable_read"}) {
    CAPTURE(path);
    auto answer = client.http("GET", path);
    CHECK(answer.http_status == 200);
    CHECK(answer.body == "ok\n");
    CHECK(answer.headers["x-content-type-options"] == "nosniff");
  }
  CHECK(client.http("GET", "/livez?verbose").body == "[+]serializable_read ok\nok\n");
  CHECK(client.http("GET", "/livez?verbose&exclude=serializable_read").body == "ok\n");
  CHECK(client.http("GET", "/readyz/nonsense").http_status == 404);
  CHECK(client.http("GET", "/version").body ==
        "{\"etcdserver\":\"3.7.0\",\"etcdcluster\":\"3.7.0\",\"storage\":\"3.7.0\"}");
}

TEST_CASE("lattice healthcheck says how the server is, or why nobody knows") {
  RunningServer server;
  std::ostringstream out;
  std::ostringstream err;
  CHECK(run_health_command({server.metrics_address(), "/readyz"}, out, err) == 0);
  CHECK(run_health_command({server.address(), "/livez"}, out, err) == 0);
  CHECK(out.str() == "ok\n\nok\n\n");
  CHECK(err.str().empty());
  CHECK(run_health_command({server.address(), "/readyz/nonsense"}, out, err) == 1);
  CHECK(err.str().find("404") != std::string::npos);
  const std::string address = server.metrics_address();
  server.stop();
  CHECK(run_health_command({address, "/readyz"}, out, err) == 1);
  CHECK(err.str().find("connect: Connection refused") != std::string::npos);
  CHECK(run_health_command({"nowhere", "/readyz"}, out, err) == 1);
}

TEST_CASE("metrics are on both ports") {
  RunningServer server;
  TestClient client(server.address());
  put(client, "k", "v");
  etcdserverpb::TxnRequest txn;
  for (const char* key : {"a", "b"}) {
    txn.add_success()->mutable_request_put()->set_key(key);
  }
  txn.add_success()->mutable_request_range()->set_key("k");
  ask<etcdserverpb::TxnResponse>(client, "/etcdserverpb.KV/Txn", txn);
  auto metrics = client.http("GET", "/metrics");
  CHECK(metrics.http_status == 200);
  CHECK(metrics.body.find("grpc_method=\"Put\",grpc_code=\"OK\"} 1") != std::string::npos);
  CHECK(metrics.body.find("etcd_server_has_leader 1") != std::string::npos);
  CHECK(metrics.body.find("etcd_mvcc_put_total 3\n") != std::string::npos);
  CHECK(metrics.body.find("etcd_mvcc_range_total 1\n") != std::string::npos);
  CHECK(metrics.body.find("etcd_mvcc_txn_total 1\n") != std::string::npos);
  TestClient other(server.metrics_address());
  CHECK(other.http("GET", "/metrics").http_status == 200);
  CHECK(other.http("GET", "/livez").body == "ok\n");
  CHECK(other.call("/etcdserverpb.KV/Put", "").grpc_status() == 12);
}

TEST_CASE("status, members, hash and authentication tell about a single sound member") {
  RunningServer server;
  TestClient client(server.address());
  put(client, "k", "v");
  auto status = ask<etcdserverpb::StatusResponse>(client, "/etcdserverpb.Maintenance/Status",
                                                  etcdserverpb::StatusRequest());
  CHECK(status.version() == "3.7.0");
  CHECK(status.leader() == status.header().member_id());
  CHECK(status.raftterm() >= 2);
  CHECK(status.raftindex() > 0);
  CHECK(status.dbsize() > 0);
  CHECK(status.errors_size() == 0);
  etcdserverpb::MemberListRequest list;
  list.set_linearizable(true);
  auto members =
      ask<etcdserverpb::MemberListResponse>(client, "/etcdserverpb.Cluster/MemberList", list);
  CHECK(members.header().revision() == 0);
  REQUIRE(members.members_size() == 1);
  CHECK(members.members(0).id() == status.leader());
  CHECK(members.members(0).clienturls(0) == "http://" + server.address());
  auto hash = ask<etcdserverpb::HashKVResponse>(client, "/etcdserverpb.Maintenance/HashKV",
                                                etcdserverpb::HashKVRequest());
  CHECK(hash.hash() != 0);
  CHECK(hash.compact_revision() == -1);
  CHECK(hash.hash_revision() == 2);
  auto alarms = ask<etcdserverpb::AlarmResponse>(client, "/etcdserverpb.Maintenance/Alarm",
                                                 etcdserverpb::AlarmRequest());
  CHECK(alarms.alarms_size() == 0);
  auto auth = ask<etcdserverpb::AuthStatusResponse>(client, "/etcdserverpb.Auth/AuthStatus",
                                                    etcdserverpb::AuthStatusRequest());
  CHECK_FALSE(auth.enabled());
  CHECK(refusal(client, "/etcdserverpb.Auth/Authenticate", etcdserverpb::AuthenticateRequest()) ==
        "9 etcdserver: authentication is not enabled");
}

TEST_CASE("the leadership moves to members only, and to the leader itself at once") {
  RunningServer server;
  TestClient client(server.address());
  put(client, "k", "v");
  const std::string path = "/etcdserverpb.Maintenance/MoveLeader";
  etcdserverpb::MoveLeaderRequest request;
  for (const uint64_t unknown : {uint64_t{0}, uint64_t{123}, UINT64_MAX}) {
    request.set_targetid(unknown);
    CHECK(refusal(client, path, request) == "9 etcdserver: bad leader transferee");
  }
  const auto status = ask<etcdserverpb::StatusResponse>(client, "/etcdserverpb.Maintenance/Status",
                                                        etcdserverpb::StatusRequest());
  request.set_targetid(status.leader());
  CHECK(ask<etcdserverpb::MoveLeaderResponse>(client, path, request).ByteSizeLong() == 0);
}

TEST_CASE("grpc.health.v1 knows the server as a whole") {
  RunningServer server;
  TestClient client(server.address());
  HealthCheckRequest request;
  auto answer = ask<HealthCheckResponse>(client, "/grpc.health.v1.Health/Check", request);
  CHECK(answer.status() == HealthCheckResponse::SERVING);
  Stream<HealthCheckResponse> watch(client, "/grpc.health.v1.Health/Watch");
  watch.send(request);
  CHECK(watch.next().status() == HealthCheckResponse::SERVING);
  request.set_service("unheard.of");
  CHECK(refusal(client, "/grpc.health.v1.Health/Check", request) == "5 unknown service");
  Stream<HealthCheckResponse> other(client, "/grpc.health.v1.Health/Watch");
  other.send(request);
  CHECK(other.next().status() == HealthCheckResponse::SERVICE_UNKNOWN);
}

TEST_CASE("SIGTERM ends watches, tells clients to go elsewhere, and exits 0") {
  RunningServer server;
  TestClient client(server.address());
  Stream<etcdserverpb::WatchResponse> stream(client, "/etcdserverpb.Watch/Watch");
  etcdserverpb::WatchRequest request;
  request.mutable_create_request()->set_key("k");
  stream.send(request);
  CHECK(stream.next().created());
  server.signal(SIGTERM);
  CHECK(stream.status() == "14 etcdserver: server stopped");
  CHECK(client.wait_goaway());
  CHECK(server.stop() == 0);
}

TEST_CASE("several loops serve one tenant") {
  RunningServer server(test_config({{"server.threads", "3"}}));
  std::vector<std::unique_ptr<TestClient>> clients;
  // The kernel spreads connections over the loops.
  for (int i = 0; i < 12; ++i) clients.push_back(std::make_unique<TestClient>(server.address()));
  Stream<etcdserverpb::WatchResponse> stream(*clients.front(), "/etcdserverpb.Watch/Watch");
  etcdserverpb::WatchRequest request;
  request.mutable_create_request()->set_key("k");
  request.mutable_create_request()->set_range_end("l");
  stream.send(request);
  CHECK(stream.next().created());
  for (size_t i = 0; i < clients.size(); ++i) {
    auto written = put(*clients[i], "k" + std::to_string(i), "v");
    CHECK(written.header().revision() == static_cast<int64_t>(i) + 2);
    CHECK(get(*clients[(i + 5) % clients.size()], "k", "l").count() == static_cast<int64_t>(i) + 1);
    CHECK(stream.next().events(0).kv().mod_revision() == static_cast<int64_t>(i) + 2);
  }
  CHECK(server.stop() == 0);
}

TEST_CASE("the embedded store keeps everything over a restart and refuses a second process") {
  const auto folder =
      std::filesystem::temp_directory_path() / ("lattice-server-test-" + std::to_string(getpid()));
  std::filesystem::remove_all(folder);
  const config::Config config = test_config({{"paths.data_dir", folder.string()}},
                                            "sqlite://" + (folder / "lattice.db").string());
  uint64_t cluster = 0;
  {
    RunningServer server(config);
    TestClient client(server.address());
    cluster = put(client, "k", "v").header().cluster_id();
    RunningServer second(config);
    CHECK(second.stop() == exit_backend_unavailable);
    CHECK(server.stop() == 0);
  }
  RunningServer server(config);
  TestClient client(server.address());
  auto found = get(client, "k");
  REQUIRE(found.kvs_size() == 1);
  CHECK(found.kvs(0).value() == "v");
  CHECK(found.header().revision() == 2);
  CHECK(found.header().cluster_id() == cluster);
  CHECK(server.stop() == 0);
  std::filesystem::remove_all(folder);
}

TEST_CASE("a port in use is said clearly") {
  RunningServer first;
  RunningServer second(test_config({{"listeners.grpc.bind", first.address()}}));
  CHECK(second.stop() == exit_os);
  CHECK(second.logged(first.address()));
}

}  // namespace
}  // namespace lattice::server::testing
