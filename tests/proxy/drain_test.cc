#include <doctest/doctest.h>

#include "test_client.h"
#include "test_server.h"

namespace lattice::proxy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("Draining lets running calls finish and takes those that crossed the notice") {
  TestServer server;
  TestClient client(server.address);
  const int32_t running = client.start("/test.Test/Echo");
  client.send(running, "first");
  REQUIRE(client.wait_messages(running, 1));
  server.drain(seconds(30));
  // Sent before the client has read the notice.
  const int32_t crossing = client.start("/test.Test/Echo");
  client.send(crossing, "crossed", true);
  REQUIRE(client.wait_closed(crossing));
  CHECK(client.response(crossing).grpc_status() == 0);
  REQUIRE(client.wait_until([&] { return client.goaway().count == 2; }));
  CHECK(client.goaway().error_code == NGHTTP2_NO_ERROR);
  CHECK(client.goaway().last_stream_id == crossing);
  CHECK_FALSE(server.drained);
  client.send(running, "last", true);
  REQUIRE(client.wait_closed(running));
  CHECK(client.response(running).messages() == std::vector<std::string>{"first", "last"});
  CHECK(client.wait_eof());
  CHECK(TestServer::eventually([&] { return server.drained.load(); }));
  CHECK(connect_to(server.address) == -1);
}

TEST_CASE("What still runs at the deadline is cut off") {
  TestServer server;
  TestClient client(server.address);
  client.start("/test.Test/Hang");
  REQUIRE(TestServer::eventually([&] { return server.counters.started == 1; }));
  server.drain(milliseconds(50));
  CHECK(client.wait_eof());
  CHECK(TestServer::eventually([&] { return server.drained.load(); }));
  CHECK(server.counters.cancelled == 1);
}

TEST_CASE("Draining a server without connections is done at once") {
  TestServer server;
  server.drain(seconds(30));
  CHECK(TestServer::eventually([&] { return server.drained.load(); }));
}

TEST_CASE("Idle connections of every kind end when draining starts") {
  TestServer server;
  TestClient http2(server.address);
  CHECK(http2.call("/test.Test/Echo", "x").grpc_status() == 0);
  const int silent = connect_to(server.address);
  const int http1 = connect_to(server.address);
  const std::string request = "GET /version HTTP/1.1\r\nHost: x\r\n\r\n";
  REQUIRE(send(http1, request.data(), request.size(), 0) > 0);
  char byte;
  REQUIRE(recv(http1, &byte, 1, 0) == 1);
  server.drain(seconds(30));
  CHECK(http2.wait_eof());
  CHECK(recv(silent, &byte, 1, 0) <= 0);
  while (recv(http1, &byte, 1, 0) == 1) {
  }
  close(silent);
  close(http1);
  CHECK(TestServer::eventually([&] { return server.drained.load(); }));
}

TEST_CASE("A client that never answers is not waited for beyond the grace of the first notice") {
  TestServer server;
  TestClient client(server.address, {.answer_pings = false});
  CHECK(client.call("/test.Test/Echo", "x").grpc_status() == 0);
  server.drain(seconds(30));
  CHECK(client.wait_eof());
  CHECK(TestServer::eventually([&] { return server.drained.load(); }));
}

TEST_CASE("An old connection is left by its client; what still runs has the grace to end") {
  Limits limits;
  limits.connection_age_max = milliseconds(300);
  limits.connection_age_grace = seconds(30);
  TestServer server(limits);
  TestClient client(server.address);
  const int32_t running = client.start("/test.Test/Echo");
  client.send(running, "first");
  REQUIRE(client.wait_messages(running, 1));
  REQUIRE(client.wait_until([&] { return client.goaway().count == 2; }));
  CHECK(client.goaway().error_code == NGHTTP2_NO_ERROR);
  client.send(running, "last", true);
  REQUIRE(client.wait_closed(running));
  CHECK(client.response(running).messages() == std::vector<std::string>{"first", "last"});
  CHECK(client.wait_eof());
  CHECK(server.counters.goaways == 1);
  TestClient next(server.address);
  CHECK(next.call("/test.Test/Echo", "x").grpc_status() == 0);
}

TEST_CASE("What still runs on an old connection after the grace is cut off") {
  Limits limits;
  limits.connection_age_max = milliseconds(100);
  limits.connection_age_grace = milliseconds(100);
  TestServer server(limits);
  TestClient client(server.address);
  client.start("/test.Test/Hang");
  CHECK(client.wait_eof());
  CHECK(server.counters.cancelled == 1);
}

TEST_CASE("Connections that came together do not get old together") {
  Limits limits;
  limits.connection_age_max = seconds(2);
  TestServer server(limits);
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<TestClient>(server.address));
    REQUIRE(clients.back()->call("/test.Test/Echo", "x").grpc_status() == 0);
  }
  REQUIRE(TestServer::eventually([&] { return server.connections() < 8; }));
  const auto first = std::chrono::steady_clock::now();
  REQUIRE(TestServer::eventually([&] { return server.connections() == 0; }));
  // A fifth of the limit lies between the first and the last.
  CHECK(std::chrono::steady_clock::now() - first >= milliseconds(150));
}

}  // namespace
}  // namespace lattice::proxy
