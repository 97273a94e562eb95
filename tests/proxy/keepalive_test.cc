#include "proxy/keepalive.h"

#include <doctest/doctest.h>

#include "test_client.h"
#include "test_server.h"

namespace lattice::proxy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant at(int64_t seconds_since_start) {
  return Instant{(1000 + seconds_since_start) * 1'000'000'000};
}

TEST_CASE("With streams open, pings closer than the minimum are forgiven twice") {
  const Limits limits;
  PingPolicy policy(limits);
  CHECK(policy.on_ping(at(0), 1));
  CHECK(policy.on_ping(at(4), 1));
  CHECK(policy.on_ping(at(8), 1));
  CHECK_FALSE(policy.on_ping(at(12), 1));
}

TEST_CASE("With streams open, pings at the minimum are fair for ever") {
  const Limits limits;
  PingPolicy policy(limits);
  for (int i = 0; i < 100; ++i) CHECK(policy.on_ping(at(5 * i), 1));
}

TEST_CASE("Without streams a ping counts unless two hours have passed") {
  const Limits limits;
  PingPolicy policy(limits);
  CHECK(policy.on_ping(at(0), 0));
  CHECK(policy.on_ping(at(60), 0));
  CHECK(policy.on_ping(at(120), 0));
  CHECK_FALSE(policy.on_ping(at(180), 0));
  Limits permissive;
  permissive.keepalive_permit_without_stream = true;
  PingPolicy other(permissive);
  for (int i = 0; i < 10; ++i) CHECK(other.on_ping(at(60 * i), 0));
}

TEST_CASE("A ping right after our output is forgiven and clears the strikes") {
  const Limits limits;
  PingPolicy policy(limits);
  for (int i = 0; i < 50; ++i) {
    policy.on_output();
    CHECK(policy.on_ping(at(0), 1));
    CHECK(policy.on_ping(at(0), 1));
    CHECK(policy.on_ping(at(0), 1));
  }
  CHECK_FALSE(policy.on_ping(at(0), 1));
}

TEST_CASE("A silent peer is pinged after the interval and given up after the timeout") {
  Limits limits;
  limits.keepalive_interval = seconds(30);
  limits.keepalive_timeout = seconds(10);
  PeerWatch watch(limits, at(0));
  CHECK(watch.on_tick(at(29)) == PeerWatch::Action::none);
  CHECK(watch.on_tick(at(30)) == PeerWatch::Action::ping);
  CHECK(watch.on_tick(at(35)) == PeerWatch::Action::none);
  watch.on_input(at(36));
  CHECK(watch.on_tick(at(41)) == PeerWatch::Action::none);
  CHECK(watch.on_tick(at(66)) == PeerWatch::Action::ping);
  CHECK(watch.on_tick(at(76)) == PeerWatch::Action::give_up);
}

TEST_CASE("Too many pings end the connection with ENHANCE_YOUR_CALM") {
  TestServer server;
  TestClient client(server.address);
  client.start("/test.Test/Hang");
  for (int i = 0; i < 4; ++i) client.ping();
  REQUIRE(client.wait_goaway());
  CHECK(client.goaway().error_code == NGHTTP2_ENHANCE_YOUR_CALM);
  CHECK(client.goaway().debug_data == "too_many_pings");
  CHECK(client.wait_eof());
  CHECK(TestServer::eventually([&] { return server.counters.cancelled == 1; }));
  CHECK(server.counters.goaways == 1);
}

TEST_CASE("The server pings a silent client and keeps it while it answers") {
  Limits limits;
  limits.keepalive_interval = milliseconds(20);
  limits.keepalive_timeout = milliseconds(200);
  TestServer server(limits);
  TestClient client(server.address);
  client.start("/test.Test/Hang");
  CHECK(client.wait_until([&] { return client.pings_received() >= 3; }));
  CHECK(client.connected());
}

TEST_CASE("A client that does not answer pings is closed") {
  Limits limits;
  limits.keepalive_interval = milliseconds(20);
  limits.keepalive_timeout = milliseconds(30);
  TestServer server(limits);
  TestClient client(server.address, {.answer_pings = false});
  client.start("/test.Test/Hang");
  CHECK(client.wait_eof());
  CHECK(TestServer::eventually([&] { return server.counters.destroyed == 1; }));
}

TEST_CASE("A connection without streams is ended after the idle time, one with a stream is not") {
  Limits limits;
  limits.connection_idle_max = milliseconds(60);
  TestServer server(limits);
  TestClient idle(server.address);
  TestClient busy(server.address);
  const int32_t id = busy.start("/test.Test/Echo");
  CHECK(idle.call("/test.Test/Echo", "x").grpc_status() == 0);
  REQUIRE(idle.wait_goaway());
  CHECK(idle.goaway().error_code == NGHTTP2_NO_ERROR);
  CHECK(idle.wait_eof());
  busy.send(id, "x", true);
  CHECK(busy.wait_closed(id));
  CHECK(busy.response(id).grpc_status() == 0);
}

}  // namespace
}  // namespace lattice::proxy
