// Peers that break the rules, or keep to them in bad faith. After each of them the server must
// serve others as before.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include "test_client.h"
#include "test_server.h"

namespace lattice::proxy {
namespace {

using std::chrono::milliseconds;

std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  const size_t size = payload.size();
  std::string out{static_cast<char>(size >> 16),   static_cast<char>(size >> 8),
                  static_cast<char>(size),         static_cast<char>(type),
                  static_cast<char>(flags),        static_cast<char>(stream >> 24),
                  static_cast<char>(stream >> 16), static_cast<char>(stream >> 8),
                  static_cast<char>(stream)};
  return out.append(payload);
}

void check_alive(TestServer& server) {
  TestClient client(server.address);
  CHECK(client.call("/test.Test/Echo", "alive").messages() == std::vector<std::string>{"alive"});
}

TEST_CASE("Rapid resets beyond the budget end the connection and leave nothing behind") {
  TestServer server;
  TestClient client(server.address);
  for (int i = 0; i < 12'000 && client.connected() && !client.goaway().seen; ++i) {
    const int32_t id = client.start("/test.Test/Hang");
    if (id < 0) break;
    client.cancel(id);
    if (i % 100 == 0) client.pump(milliseconds(0));
  }
  CHECK(client.wait_until([&] { return client.goaway().seen || client.eof(); }));
  CHECK(
      TestServer::eventually([&] { return server.counters.destroyed == server.counters.started; }));
  check_alive(server);
}

TEST_CASE("A thousand cancelled calls in a row are honest use") {
  TestServer server;
  TestClient client(server.address);
  for (int i = 0; i < 2000; ++i) client.cancel(client.start("/test.Test/Hang"));
  CHECK(client.call("/test.Test/Echo", "x").grpc_status() == 0);
  CHECK_FALSE(client.goaway().seen);
}

TEST_CASE("Resets that the peer provokes are counted against it") {
  TestServer server;
  TestClient client(server.address);
  for (int i = 0; i < 300 && client.connected(); ++i) {
    const int32_t id = client.start("/test.Test/Hang");
    if (id < 0) break;
    // A window update of zero makes the server reset the stream (CVE-2025-8671).
    client.send_bytes(frame(NGHTTP2_WINDOW_UPDATE, 0, static_cast<uint32_t>(id), {"\0\0\0\0", 4}));
  }
  REQUIRE(client.wait_until([&] { return client.goaway().seen || client.eof(); }));
  CHECK(server.counters.started < 300);
  CHECK(
      TestServer::eventually([&] { return server.counters.destroyed == server.counters.started; }));
  check_alive(server);
}

TEST_CASE("Floods of frames that only cost work end the connection") {
  TestServer server;
  TestClient client(server.address);
  const int32_t id = client.start("/test.Test/Hang");
  std::string flood;
  SUBCASE("SETTINGS") {
    for (int i = 0; i < 5000; ++i) flood += frame(NGHTTP2_SETTINGS, 0, 0, "");
  }
  SUBCASE("empty DATA") {
    for (int i = 0; i < 5000; ++i) flood += frame(NGHTTP2_DATA, 0, static_cast<uint32_t>(id), "");
  }
  SUBCASE("PING") {
    for (int i = 0; i < 5000; ++i) flood += frame(NGHTTP2_PING, 0, 0, "12345678");
  }
  SUBCASE("PRIORITY") {
    for (int i = 0; i < 5000; ++i) flood += frame(NGHTTP2_PRIORITY, 0, 1, {"\0\0\0\0\1", 5});
  }
  SUBCASE("of a type that nobody knows") {
    for (int i = 0; i < 5000; ++i) flood += frame(0xfe, 0, 0, "");
  }
  SUBCASE("answers to PINGs that nobody sent") {
    for (int i = 0; i < 5000; ++i) flood += frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678");
  }
  SUBCASE("WINDOW_UPDATE") {
    for (int i = 0; i < 10'000; ++i) {
      flood += frame(NGHTTP2_WINDOW_UPDATE, 0, 0, {"\0\0\0\1", 4});
    }
  }
  SUBCASE("padding instead of DATA") {
    const std::string padding("\5\0\0\0\0\0", 6);
    for (int i = 0; i < 5000; ++i) {
      flood += frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, static_cast<uint32_t>(id), padding);
    }
  }
  client.send_bytes(flood);
  CHECK(client.wait_until([&] { return client.goaway().seen || client.eof(); }));
  CHECK(TestServer::eventually([&] { return server.connections() == 0; }));
  check_alive(server);
}

TEST_CASE("An endless header block ends the connection early") {
  TestServer server;
  TestClient client(server.address);
  client.send_bytes(frame(NGHTTP2_HEADERS, 0, 1, "\x82"));
  for (int i = 0; i < 1000; ++i) {
    client.send_bytes(
        frame(NGHTTP2_CONTINUATION, 0, 1, std::string("\x40\x01") + "a" + "\x01" + "b"));
  }
  CHECK(client.wait_until([&] { return client.goaway().seen || client.eof(); }));
  check_alive(server);
}

TEST_CASE("A header list above the limit is refused, its stream alone") {
  TestServer server;
  TestClient client(server.address);
  TestClient::Headers large;
  for (int i = 0; i < 20; ++i) large.emplace_back("k" + std::to_string(i), std::string(1000, 'v'));
  const int32_t id = client.start("/test.Test/Echo", large);
  REQUIRE(client.wait_closed(id));
  CHECK(client.response(id).error_code == NGHTTP2_FRAME_SIZE_ERROR);
  CHECK(client.call("/test.Test/Echo", "x").grpc_status() == 0);
  CHECK(server.counters.started == 1);
}

TEST_CASE("A header block that refers to one long header many times is refused") {
  TestServer server;
  TestClient client(server.address);
  // :method POST, :scheme http, :path /; then 4000 bytes enter the compression table once, and one
  // byte each stands for them a thousand times.
  std::string block = "\x83\x86\x84" + std::string("\x40\x01") + "a" + "\x7f\xa1\x1e" +
                      std::string(4000, 'v') + std::string(1000, '\xbe');
  const size_t before = server.counters.sent;
  client.send_bytes(frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block));
  CHECK(TestServer::eventually([&] { return server.counters.sent > before; }));
  CHECK(server.counters.started == 0);
  check_alive(server);
}

TEST_CASE("Streams above the limit are refused and may be retried") {
  Limits limits;
  limits.concurrent_streams_max = 3;
  TestServer server(limits);
  TestClient client(server.address);
  std::vector<int32_t> ids;
  // Before the client has seen the server's SETTINGS nothing stops it.
  for (int i = 0; i < 5; ++i) ids.push_back(client.start("/test.Test/Hang"));
  for (const int i : {3, 4}) {
    REQUIRE(client.wait_closed(ids[static_cast<size_t>(i)]));
    CHECK(client.response(ids[static_cast<size_t>(i)]).error_code == NGHTTP2_REFUSED_STREAM);
  }
  CHECK(server.counters.started == 3);
  client.cancel(ids[0]);
  REQUIRE(TestServer::eventually([&] { return server.counters.destroyed == 1; }));
  CHECK(client.call("/test.Test/Echo", "x").grpc_status() == 0);
}

TEST_CASE("Protocol errors of every sort end at most the connection that makes them") {
  TestServer server;
  const std::vector<std::string> attacks = {
      frame(NGHTTP2_DATA, 0, 1, "data on an idle stream"),
      frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 2, "\x82"),
      frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff\xff"),
      frame(NGHTTP2_WINDOW_UPDATE, 0, 0, std::string("\0\0\0\0", 4)),
      frame(NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff"),
      frame(NGHTTP2_SETTINGS, 0, 0, "odd"),
      frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "123456"),
      frame(NGHTTP2_PING, 0, 0, "short"),
      frame(NGHTTP2_RST_STREAM, 0, 99, std::string("\0\0\0\0", 4)),
      frame(NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, std::string("\0\0\0\2\x82", 5)),
      frame(NGHTTP2_CONTINUATION, 0, 1, "\x82"),
      frame(200, 0xff, 77, "unknown frames are ignored"),
      std::string("\xff\xff\xff\0\0\0\0\0\1", 9),
  };
  for (const std::string& attack : attacks) {
    TestClient client(server.address);
    client.send_bytes(attack);
    client.pump(milliseconds(5));
  }
  check_alive(server);
  CHECK(TestServer::eventually([&] { return server.connections() == 0; }));
}

TEST_CASE("A connection that says nothing, or not enough, is closed after the preface timeout") {
  Limits limits;
  limits.preface_timeout = milliseconds(40);
  TestServer server(limits);
  for (const std::string_view start : {std::string_view(), std::string_view("PRI * HT"),
                                       std::string_view("GET /version HTTP/1.1\r\nHost:")}) {
    const int fd = connect_to(server.address);
    REQUIRE(fd >= 0);
    if (!start.empty()) REQUIRE(send(fd, start.data(), start.size(), 0) > 0);
    char buffer[1000];
    while (recv(fd, buffer, sizeof buffer, 0) > 0) {
    }
    close(fd);
  }
  CHECK(TestServer::eventually([&] { return server.connections() == 0; }));
}

TEST_CASE("Pipelined requests are not answered further than the client reads") {
  TestServer server;
  const int fd = connect_to(server.address);
  std::string requests;
  for (int i = 0; i < 1000; ++i) requests += "GET /large HTTP/1.1\r\nHost: h\r\n\r\n";
  REQUIRE(send(fd, requests.data(), requests.size(), 0) > 0);
  REQUIRE(TestServer::eventually([&] { return server.counters.large_bodies > 0; }));
  check_alive(server);
  CHECK(server.counters.large_bodies < 30);  // what the kernel's buffers take, and little more
  close(fd);
  CHECK(TestServer::eventually([&] { return server.connections() == 0; }));
}

TEST_CASE("A peer whose socket takes nothing is closed after the stall limit") {
  Limits limits;
  limits.write_stall_max = milliseconds(50);
  TestServer server(limits);
  const int fd = connect_to(server.address);
  std::string requests;
  for (int i = 0; i < 30; ++i) requests += "GET /large HTTP/1.1\r\nHost: h\r\n\r\n";
  REQUIRE(send(fd, requests.data(), requests.size(), 0) > 0);
  REQUIRE(TestServer::eventually([&] { return server.counters.large_bodies > 0; }));
  CHECK(TestServer::eventually([&] { return server.connections() == 0; }));
  close(fd);
}

TEST_CASE("Bodies of plain requests over HTTP/2 count against what a connection may hold") {
  TestServer server;
  TestClient client(server.address);
  const TestClient::Headers headers = {
      {":method", "POST"}, {":scheme", "http"}, {":path", "/upload"}, {":authority", "test"}};
  const std::string body(1'900'000, 'b');
  std::vector<int32_t> ids;
  for (int i = 0; i < 60 && client.connected(); ++i) {
    ids.push_back(client.start_with(headers));
    client.send_raw(ids.back(), body, /*end=*/false);
    client.pump(milliseconds(0));
  }
  client.pump(milliseconds(200));
  // 32 MiB whole, what the connection's window of 16 MiB had let on its way by then, and one
  // stream's window of each of the others; without the bound it would be all 114 MB.
  const size_t received = server.counters.received;
  CHECK(received < 100 << 20);
  for (const int32_t id : ids) client.half_close(id);
  for (const int32_t id : ids) {
    REQUIRE(client.wait_closed(id));
    CHECK(client.response(id).body == "1900000");
  }
}

TEST_CASE("Messages that nobody finishes hold a bounded amount, whoever sends them") {
  TestServer server;
  const std::string part(120'000, 'b');
  std::vector<std::unique_ptr<TestClient>> hostile;
  for (int connection = 0; connection < 20; ++connection) {
    auto& client = *hostile.emplace_back(std::make_unique<TestClient>(server.address));
    for (int i = 0; i < 30 && client.connected(); ++i) {
      const int32_t id = client.start("/test.Test/Echo");
      client.send_raw(id, std::string("\0\0\x10\0\0", 5) + part, /*end=*/false);
      client.pump(milliseconds(0));
    }
  }
  // 72 MB were sent, and no byte of them may go anywhere.
  const auto held = [&] {
    size_t bytes = 0;
    for (auto& client : hostile) {
      client->pump(milliseconds(3));
      for (int32_t id = 1; id < 60; id += 2) bytes += client->response(id).closed ? 0 : part.size();
    }
    return bytes;
  };
  CHECK(TestServer::eventually([&] { return held() <= 56 << 20; }));
  CHECK(held() >= 12 << 20);
  // Who sends little is served even so.
  TestClient honest(server.address);
  const std::string message(60'000, 'm');
  CHECK(honest.call("/test.Test/Echo", message).messages() == std::vector<std::string>{message});
  hostile.clear();
  CHECK(TestServer::eventually([&] { return server.connections() == 1; }));
}

TEST_CASE("Connections above the cap are closed, later ones served again") {
  Limits limits;
  limits.connections_max = 2;
  TestServer server(limits);
  auto first = std::make_unique<TestClient>(server.address);
  TestClient second(server.address);
  CHECK(first->call("/test.Test/Echo", "x").grpc_status() == 0);
  CHECK(second.call("/test.Test/Echo", "x").grpc_status() == 0);
  TestClient third(server.address);
  CHECK(third.wait_eof());
  first.reset();
  REQUIRE(TestServer::eventually([&] { return server.connections() == 1; }));
  check_alive(server);
}

TEST_CASE("Running out of descriptors drops connections, and accepting goes on afterwards") {
  TestServer server;
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  std::vector<int> fds;
  for (int i = 0; i < 20; ++i) fds.push_back(connect_to(server.address));
  REQUIRE(TestServer::eventually([&] { return server.connections() == 20; }));
  // The client's end of one more connection is the last descriptor.
  const int last = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(last) + 1;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &tight) == 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(server.address.substr(10))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(connect(last, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  char byte;
  CHECK(recv(last, &byte, 1, 0) <= 0);  // accepted with the spare descriptor, and dropped
  CHECK(server.connections() == 20);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  close(last);
  for (const int fd : fds) close(fd);
  check_alive(server);
}

}  // namespace
}  // namespace lattice::proxy
