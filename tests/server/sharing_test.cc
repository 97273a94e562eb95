// One process, several tenants: who may have how many connections, and long lists beside others.
#include "server/running_server.h"

namespace lattice::server::testing {
namespace {

const std::string range_path = "/etcdserverpb.KV/Range";
const std::string put_path = "/etcdserverpb.KV/Put";

TestClient::Headers of(const std::string& tenant) { return {{"lattice-tenant", tenant}}; }

config::Config two_tenants(std::vector<std::pair<std::string, std::string>> more = {}) {
  more.emplace_back("tenants.trust_metadata", "true");
  more.emplace_back("tenants.create", "a,b");
  return test_config(more);
}

template <class Condition>
bool eventually(Condition condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

std::string asked(TestClient& client, const std::string& tenant) {
  etcdserverpb::RangeRequest request;
  request.set_key("k");
  return refusal(client, range_path, request, of(tenant));
}

void await_tenants(RunningServer& server) {
  REQUIRE(eventually([&] {
    TestClient client(server.address());
    return asked(client, "a") == "0 " && asked(client, "b") == "0 ";
  }));
}

TEST_CASE("a tenant has only so many connections, wherever they are accepted") {
  RunningServer server(
      two_tenants({{"server.threads", "2"}, {"tenants.default_max_connections", "2"}}));
  await_tenants(server);
  const std::string full = "8 lattice: the tenant's limit of connections is reached";
  auto first = std::make_unique<TestClient>(server.address());
  TestClient second(server.address());
  TestClient third(server.address());
  REQUIRE(eventually([&] { return asked(*first, "a") == "0 "; }));  // those that waited are gone
  REQUIRE(eventually([&] { return asked(second, "a") == "0 "; }));
  CHECK(asked(third, "a") == full);
  CHECK(asked(second, "a") == "0 ");
  CHECK(asked(third, "b") == "0 ");
  CHECK(asked(third, "a") == full);  // though it is served
  // A connection is that tenant's which has asked last.
  CHECK(asked(second, "b") == "0 ");
  CHECK(asked(third, "a") == "0 ");
  CHECK(asked(second, "a") == full);
  first.reset();
  CHECK(eventually([&] { return asked(second, "a") == "0 "; }));
}

// All of it in the answer's order, as bytes.
std::string listed(TestClient& client, const std::string& tenant,
                   const etcdserverpb::RangeRequest& request) {
  const auto answer = client.call(range_path, request.SerializeAsString(), of(tenant));
  REQUIRE(answer.grpc_status() == 0);
  return answer.messages().front();
}

TEST_CASE("a long list is the same in pieces, beside another tenant, as in one") {
  RunningServer server(two_tenants({{"server.threads", "1"}}));
  await_tenants(server);
  TestClient client(server.address());
  TestClient other(server.address());
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));  // nobody else is active
  for (int txn = 0; txn < 40; ++txn) {
    etcdserverpb::TxnRequest request;
    for (int i = 0; i < 100; ++i) {
      etcdserverpb::PutRequest* put = request.add_success()->mutable_request_put();
      put->set_key("k" + std::to_string(10000 + txn * 100 + i));
      put->set_value(std::string(i % 10 == 0 ? 700 : 20, 'v'));
    }
    REQUIRE(
        client.call("/etcdserverpb.KV/Txn", request.SerializeAsString(), of("a")).grpc_status() ==
        0);
  }
  std::vector<etcdserverpb::RangeRequest> requests(5);
  for (etcdserverpb::RangeRequest& request : requests) {
    request.set_key("k");
    request.set_range_end("l");
  }
  requests[1].set_limit(3000);
  requests[2].set_limit(4000);
  requests[3].set_keys_only(true);
  requests[4].set_revision(20);
  std::vector<std::string> whole;
  for (const auto& request : requests) whole.push_back(listed(client, "a", request));
  for (size_t i = 0; i < requests.size(); ++i) {
    CHECK(asked(other, "b") == "0 ");
    CHECK((listed(client, "a", requests[i]) == whole[i]));
  }
  etcdserverpb::RangeResponse parsed;
  REQUIRE(parsed.ParseFromString(whole[1]));
  CHECK(parsed.kvs_size() == 3000);
  CHECK(parsed.more());
  CHECK(parsed.count() == 4000);
}

}  // namespace
}  // namespace lattice::server::testing
