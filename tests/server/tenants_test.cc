// Several tenants in one server: kept apart, loaded on first use, unloaded when idle.
#include <chrono>
#include <functional>
#include <thread>

#include "server/running_server.h"

namespace lattice::server::testing {
namespace {

const std::string range_path = "/etcdserverpb.KV/Range";
const std::string put_path = "/etcdserverpb.KV/Put";

class Tenant {
 public:
  Tenant(RunningServer& server, const std::string& name)
      : client_(server.address()), metadata_{{"lattice-tenant", name}} {}
  Tenant(RunningServer& server, const std::string& name, const std::string& token)
      : client_(server.address()), metadata_{{"lattice-tenant", name}, {"token", token}} {}

  int64_t put(const std::string& key, const std::string& value, int64_t lease = 0) {
    etcdserverpb::PutRequest request;
    request.set_key(key);
    request.set_value(value);
    request.set_lease(lease);
    return ask<etcdserverpb::PutResponse>(put_path, request).header().revision();
  }
  std::string get(const std::string& key) {
    etcdserverpb::RangeRequest request;
    request.set_key(key);
    const auto response = ask<etcdserverpb::RangeResponse>(range_path, request);
    return response.kvs_size() == 1 ? response.kvs(0).value() : "none";
  }
  std::string refused() {
    etcdserverpb::RangeRequest request;
    request.set_key("k");
    return refusal(client_, range_path, request, metadata_);
  }
  template <class Response, class Request>
  Response ask(const std::string& path, const Request& request) {
    TestClient::Response answer = client_.call(path, request.SerializeAsString(), metadata_);
    CAPTURE(answer.grpc_message());
    REQUIRE(answer.grpc_status() == 0);
    Response response;
    REQUIRE(response.ParseFromString(answer.messages().front()));
    return response;
  }
  TestClient& client() { return client_; }
  const TestClient::Headers& metadata() const { return metadata_; }

 private:
  TestClient client_;
  const TestClient::Headers metadata_;
};

config::Config several(const std::string& threads, const std::string& idle_ms = "0") {
  return test_config({{"tenants.trust_metadata", "true"},
                      {"tenants.create", "a,b,c"},
                      {"server.threads", threads},
                      {"tenants.idle_stop_ms", idle_ms},
                      {"auth.bcrypt_cost", "4"},
                      {"telemetry.log_level", "debug"}});
}

bool eventually(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

// Until the server has read the list.
void await_tenants(RunningServer& server) {
  REQUIRE(eventually([&] { return Tenant(server, "c").refused() == "0 "; }));
}

TEST_CASE("tenants have keys and revisions of their own, whichever loop serves them") {
  RunningServer server(several("3"));
  await_tenants(server);
  for (int connection = 0; connection < 6; ++connection) {
    Tenant a(server, "a");
    Tenant b(server, "b");
    Tenant main(server, "default");
    CHECK(a.put("k", "of a") == 2 + connection);
    CHECK(b.put("k", "of b") == 2 + connection);
    CHECK(a.get("k") == "of a");
    CHECK(b.get("k") == "of b");
    CHECK(main.get("k") == "none");
  }
  CHECK(server.stop() == 0);
}

// Makes root with this password, switches authentication on.
void switch_on(Tenant& tenant, const std::string& password) {
  etcdserverpb::AuthUserAddRequest user;
  user.set_name("root");
  user.set_password(password);
  tenant.ask<etcdserverpb::AuthUserAddResponse>("/etcdserverpb.Auth/UserAdd", user);
  etcdserverpb::AuthUserGrantRoleRequest grant;
  grant.set_user("root");
  grant.set_role("root");
  tenant.ask<etcdserverpb::AuthUserGrantRoleResponse>("/etcdserverpb.Auth/UserGrantRole", grant);
  tenant.ask<etcdserverpb::AuthEnableResponse>("/etcdserverpb.Auth/AuthEnable",
                                               etcdserverpb::AuthEnableRequest());
}

etcdserverpb::AuthenticateRequest root_with(const std::string& password) {
  etcdserverpb::AuthenticateRequest request;
  request.set_name("root");
  request.set_password(password);
  return request;
}

TEST_CASE("users are a tenant's own, and so are their tokens") {
  RunningServer server(several("3"));
  await_tenants(server);
  const std::string log_in = "/etcdserverpb.Auth/Authenticate";
  Tenant plain_a(server, "a");
  Tenant plain_b(server, "b");
  switch_on(plain_a, "of a");
  switch_on(plain_b, "of b");
  CHECK(refusal(plain_b.client(), log_in, root_with("of a"), plain_b.metadata()) ==
        "3 etcdserver: authentication failed, invalid user ID or password");
  const auto token_of = [&](Tenant& tenant, const std::string& password) {
    return tenant.ask<etcdserverpb::AuthenticateResponse>(log_in, root_with(password)).token();
  };
  const std::string a = token_of(plain_a, "of a");
  const std::string b = token_of(plain_b, "of b");
  for (int connection = 0; connection < 4; ++connection) {
    CHECK(Tenant(server, "a", a).refused() == "0 ");
    CHECK(Tenant(server, "b", b).refused() == "0 ");
    CHECK(Tenant(server, "a", b).refused() == "16 etcdserver: invalid auth token");
    CHECK(Tenant(server, "b", a).refused() == "16 etcdserver: invalid auth token");
    CHECK(Tenant(server, "a").refused() == "3 etcdserver: user name is empty");
    CHECK(Tenant(server, "c").refused() == "0 ");
    CHECK(Tenant(server, "default").refused() == "0 ");
  }
}

TEST_CASE("a stream that waits for its tenant has its caller's rights there") {
  RunningServer server(several("2", "200"));
  await_tenants(server);
  Tenant plain(server, "a");
  switch_on(plain, "pw");
  const std::string token = plain
                                .ask<etcdserverpb::AuthenticateResponse>(
                                    "/etcdserverpb.Auth/Authenticate", root_with("pw"))
                                .token();
  REQUIRE(eventually([&] { return server.logged("unloading an idle tenant tenant=a"); }));
  etcdserverpb::WatchRequest request;
  request.mutable_create_request()->set_key("k");
  for (const std::string& sent : {token, std::string("none")}) {
    Tenant one(server, "a", sent);
    Stream<etcdserverpb::WatchResponse> watch(one.client(), "/etcdserverpb.Watch/Watch",
                                              one.metadata());
    watch.send(request);
    CHECK(watch.next().canceled() == (sent != token));
  }
}

TEST_CASE("an unknown tenant is refused, and so is one that is not believed") {
  RunningServer server(several("1"));
  await_tenants(server);
  CHECK(Tenant(server, "nobody").refused() == "7 tenant \"nobody\" is not known here");
  RunningServer strict(test_config({{"tenants.create", "a"}}));
  CHECK(Tenant(strict, "a").refused() ==
        "7 the metadata lattice-tenant is not believed here ([tenants] trust_metadata)");
}

TEST_CASE("a stream waits for a tenant that is loaded by it") {
  RunningServer server(several("2"));
  await_tenants(server);
  Tenant a(server, "a");
  etcdserverpb::WatchRequest request;
  request.mutable_create_request()->set_key("k");
  Stream<etcdserverpb::WatchResponse> watch(a.client(), "/etcdserverpb.Watch/Watch",
                                            {{"lattice-tenant", "a"}, {"hasleader", "true"}});
  watch.send(request);
  CHECK(watch.next().created());
  Tenant(server, "b").put("k", "of b");
  CHECK(watch.silent());
  Tenant(server, "a").put("k", "of a");
  CHECK(watch.next().events(0).kv().value() == "of a");
}

TEST_CASE("an idle tenant is unloaded, and comes back with what it had") {
  RunningServer server(several("2", "200"));
  await_tenants(server);
  CHECK(Tenant(server, "a").put("k", "kept") == 2);
  REQUIRE(eventually([&] { return server.logged("unloading an idle tenant"); }));
  CHECK(Tenant(server, "a").get("k") == "kept");
  CHECK(Tenant(server, "a").put("k", "more") == 3);
  CHECK(server.stop() == 0);
}

TEST_CASE("a tenant with a watch or a lease is not idle") {
  RunningServer server(several("2", "200"));
  await_tenants(server);
  Tenant a(server, "a");
  etcdserverpb::WatchRequest request;
  request.mutable_create_request()->set_key("k");
  Stream<etcdserverpb::WatchResponse> watch(a.client(), "/etcdserverpb.Watch/Watch", a.metadata());
  watch.send(request);
  CHECK(watch.next().created());
  Tenant b(server, "b");
  etcdserverpb::LeaseGrantRequest grant;
  grant.set_ttl(2);
  const auto lease =
      b.ask<etcdserverpb::LeaseGrantResponse>("/etcdserverpb.Lease/LeaseGrant", grant);
  b.put("leased", "v", lease.id());
  // c and the default tenant are idle meanwhile; what is watched and leased stays, and expires.
  REQUIRE(eventually([&] { return server.logged("unloading an idle tenant tenant=c"); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  CHECK_FALSE(server.logged("unloading an idle tenant tenant=a"));
  CHECK_FALSE(server.logged("unloading an idle tenant tenant=b"));
  CHECK(eventually([&] { return Tenant(server, "b").get("leased") == "none"; }));
  Tenant(server, "a").put("k", "seen");
  CHECK(watch.next().events(0).kv().value() == "seen");
}

}  // namespace
}  // namespace lattice::server::testing
