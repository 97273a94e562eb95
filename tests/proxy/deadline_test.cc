#include <doctest/doctest.h>

#include "proxy/grpc_text.h"
#include "test_client.h"
#include "test_server.h"

namespace lattice::proxy {
namespace {

using std::chrono::milliseconds;

TEST_CASE("Timeouts are read with all their units, and refused as grpc-go does") {
  CHECK(parse_grpc_timeout("1H").value == std::chrono::hours(1));
  CHECK(parse_grpc_timeout("2M").value == std::chrono::minutes(2));
  CHECK(parse_grpc_timeout("3S").value == std::chrono::seconds(3));
  CHECK(parse_grpc_timeout("4m").value == milliseconds(4));
  CHECK(parse_grpc_timeout("5u").value == std::chrono::microseconds(5));
  CHECK(parse_grpc_timeout("99999999n").value == Duration(99999999));
  CHECK(parse_grpc_timeout("99999999H").value == Duration::max());
  CHECK(parse_grpc_timeout("0n").value == Duration(0));
  CHECK(parse_grpc_timeout("S").error == "transport: timeout string is too short: \"S\"");
  CHECK(parse_grpc_timeout("123456789S").error ==
        "transport: timeout string is too long: \"123456789S\"");
  CHECK_FALSE(parse_grpc_timeout("-1S").error.empty());
  CHECK_FALSE(parse_grpc_timeout("+1S").error.empty());
  CHECK_FALSE(parse_grpc_timeout("1 S").error.empty());
  CHECK_FALSE(parse_grpc_timeout("10").error.empty());
}

TEST_CASE("A timeout is written so that it is not shorter when it is read") {
  using namespace std::chrono_literals;
  CHECK(format_grpc_timeout(-1s) == "0n");
  CHECK(format_grpc_timeout(99'999'999ns) == "99999999n");
  CHECK(format_grpc_timeout(100'000'001ns) == "100001u");
  CHECK(format_grpc_timeout(2h) == "7200000m");
  for (const Duration each : {Duration(1ms), Duration(12'345'678'901ns), Duration(400 * 24h)}) {
    const Duration read = parse_grpc_timeout(format_grpc_timeout(each)).value;
    CHECK(read >= each);
    CHECK(read - each <= each / 1000);
  }
}

TEST_CASE("A call past its deadline ends with DEADLINE_EXCEEDED and its work is cancelled") {
  TestServer server;
  TestClient client(server.address);
  const auto start = std::chrono::steady_clock::now();
  const int32_t id = client.start("/test.Test/Hang", {{"grpc-timeout", "30m"}});
  REQUIRE(client.wait_closed(id));
  CHECK(std::chrono::steady_clock::now() - start >= milliseconds(29));
  CHECK(client.response(id).grpc_status() == 4);
  CHECK(client.response(id).grpc_message() == "context deadline exceeded");
  CHECK(TestServer::eventually([&] { return server.counters.destroyed == 1; }));
  CHECK(server.counters.cancelled == 1);
}

TEST_CASE("A deadline ends a response that the peer does not take") {
  TestServer server;
  TestClient client(server.address, {.withhold_windows = true});
  const int32_t id = client.start("/test.Test/Flood", {{"grpc-timeout", "50m"}});
  client.send(id, "100");
  REQUIRE(client.wait_closed(id));
  CHECK(client.response(id).error_code == NGHTTP2_CANCEL);
  CHECK(TestServer::eventually([&] { return server.counters.destroyed == 1; }));
  CHECK(server.counters.last_code == 4);
}

TEST_CASE("An answer in time is not touched by the deadline") {
  TestServer server;
  TestClient client(server.address);
  CHECK(client.call("/test.Test/Echo", "x", {{"grpc-timeout", "20m"}}).grpc_status() == 0);
  client.pump(milliseconds(40));
  CHECK(client.call("/test.Test/Echo", "x").grpc_status() == 0);
  CHECK(server.counters.cancelled == 0);
}

TEST_CASE("A timeout of nothing and one beyond the clock are legal") {
  TestServer server;
  TestClient client(server.address);
  CHECK(client.call("/test.Test/Echo", "x", {{"grpc-timeout", "99999999H"}}).grpc_status() == 0);
  const int32_t id = client.start("/test.Test/Hang", {{"grpc-timeout", "0n"}});
  REQUIRE(client.wait_closed(id));
  CHECK(client.response(id).grpc_status() == 4);
}

}  // namespace
}  // namespace lattice::proxy
