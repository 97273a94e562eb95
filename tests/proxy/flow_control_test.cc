#include <doctest/doctest.h>

#include "test_client.h"
#include "test_server.h"

namespace lattice::proxy {
namespace {

using std::chrono::milliseconds;

TEST_CASE("A long response arrives whole, and the service is told what has left") {
  TestServer server;
  TestClient client(server.address);
  const int32_t id = client.start("/test.Test/Flood");
  client.send(id, "100", true);
  REQUIRE(client.wait_closed(id));
  const auto messages = client.response(id).messages();
  REQUIRE(messages.size() == 100);
  for (size_t i = 0; i < messages.size(); ++i) {
    CHECK(messages[i] == std::string(64 << 10, static_cast<char>('a' + (100 - i) % 26)));
  }
  CHECK(client.response(id).grpc_status() == 0);
  CHECK(server.counters.pending_max <= (256 << 10) + (64 << 10));
  CHECK(server.counters.reported_sent >= 90 * (64 << 10));
}

TEST_CASE("A peer that opens no window holds up its own stream only, at the service's bound") {
  TestServer server;
  TestClient client(server.address, {.withhold_windows = true, .stream_window = 100'000});
  const int32_t slow = client.start("/test.Test/Flood");
  client.send(slow, "1000", true);
  client.wait_until([&] { return client.response(slow).body.size() == 65'535; }, milliseconds(300));
  // The connection's window (65535) binds before the stream's.
  CHECK(client.response(slow).body.size() == 65'535);
  CHECK(server.counters.pending_max <= (256 << 10) + (64 << 10));
  // Another connection is not concerned.
  TestClient other(server.address);
  CHECK(other.call("/test.Test/Echo", "x").grpc_status() == 0);
  // Opening the window lets more come.
  for (int i = 0; i < 5; ++i) {
    const size_t before = client.response(slow).body.size();
    client.open_window(slow);
    CHECK(client.wait_until([&] { return client.response(slow).body.size() > before; }));
  }
  client.cancel(slow);
  CHECK(TestServer::eventually([&] { return server.counters.destroyed == 2; }));
  CHECK(server.counters.cancelled == 1);
}

TEST_CASE("Small answers overtake a long one on the same connection") {
  TestServer server;
  TestClient client(server.address, {.withhold_windows = true, .stream_window = 1 << 20});
  // The connection's window must not be what holds the small answer up.
  nghttp2_session_set_local_window_size(client.session(), NGHTTP2_FLAG_NONE, 0, 4 << 20);
  client.flush();
  const int32_t large = client.start("/test.Test/Flood");
  client.send(large, "100", true);
  client.wait_until([&] { return client.response(large).body.size() == 1 << 20; });
  const auto small = client.call("/test.Test/Echo", "x");
  CHECK(small.grpc_status() == 0);
  CHECK_FALSE(client.response(large).closed);
}

TEST_CASE("A request larger than every window comes through") {
  TestServer server;
  TestClient client(server.address);
  const std::string large(2'000'000, 'r');
  for (int i = 0; i < 12; ++i) {  // more than the connection's window in sum
    const auto response = client.call("/test.Test/Echo", large);
    REQUIRE(response.grpc_status() == 0);
    REQUIRE(response.messages().at(0) == large);
  }
}

TEST_CASE("Many large requests at once all complete") {
  TestServer server;
  TestClient client(server.address);
  const std::string large(1'900'000, 'r');
  std::vector<int32_t> ids;
  for (int i = 0; i < 40;
       ++i) {  // 76 MB: more than a connection may hold unfinished without waiting
    ids.push_back(client.start("/test.Test/Fail", {{"code", "0"}, {"text", ""}}));
    client.send(ids.back(), large, true);
  }
  for (const int32_t id : ids) {
    REQUIRE(client.wait_closed(id));
    CHECK(client.response(id).grpc_status() == 0);
  }
}

TEST_CASE("A client that does not read its answers is stopped from asking more") {
  Limits limits;
  limits.send_buffer_bytes_max = 256 << 10;
  TestServer server(limits);
  TestClient client(server.address, {.withhold_windows = true});
  const int32_t id = client.start("/test.Test/Echo");
  // Far more than socket buffers and windows hold.
  for (int i = 0; i < 100; ++i) client.send(id, std::string(100'000, 'x'));
  client.pump(milliseconds(200));
  // What the server took is bounded by the stream's window and its send buffer.
  CHECK(server.counters.received < 4'000'000);
}

TEST_CASE("Answers that a client does not take count until it takes them or leaves") {
  Sharing sharing;
  const auto counts = sharing.counts;
  TestServer server({}, std::move(sharing));
  const std::string large(1 << 20, 'x');
  {
    TestClient client(server.address, {.withhold_windows = true});
    std::vector<int32_t> ids;
    for (int i = 0; i < 4; ++i) {
      ids.push_back(client.start("/test.Test/Echo"));
      client.send(ids.back(), large, true);
    }
    // All but what the windows let through, and what every connection may have.
    CHECK(client.wait_until([&] { return counts->unread_bytes > (3 << 20) - (128 << 10); }));
    CHECK(counts->unread_bytes <= 3 << 20);
    client.cancel(ids[0]);
    CHECK(client.wait_until([&] { return counts->unread_bytes <= 2 << 20; }));
    CHECK(counts->unread_bytes > 1 << 20);
  }
  CHECK(TestServer::eventually([&] { return counts->unread_bytes == 0; }));
  TestClient reader(server.address);
  for (int i = 0; i < 3; ++i) CHECK(reader.call("/test.Test/Echo", large).grpc_status() == 0);
  CHECK(counts->unread_bytes == 0);
}

TEST_CASE("An empty message at the end of a filled window does not hang") {
  TestServer server;
  TestClient client(server.address, {.stream_window = 10});
  const int32_t id = client.start("/test.Test/Echo");
  client.send(id, "12345");
  client.send(id, "", true);
  REQUIRE(client.wait_closed(id));
  CHECK(client.response(id).messages() == std::vector<std::string>{"12345", ""});
}

}  // namespace
}  // namespace lattice::proxy
