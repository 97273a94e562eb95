#include <doctest/doctest.h>

#include "test_client.h"
#include "test_server.h"

namespace lattice::proxy {
namespace {

TEST_CASE("A unary call is answered with message and status") {
  TestServer server;
  TestClient client(server.address);
  const auto response = client.call("/test.Test/Echo", "hello");
  CHECK(response.http_status == 200);
  CHECK(response.headers.at("content-type") == "application/grpc");
  CHECK(response.messages() == std::vector<std::string>{"hello"});
  CHECK(response.grpc_status() == 0);
  CHECK(response.error_code == NGHTTP2_NO_ERROR);
  CHECK(server.counters.started == 1);
  CHECK(server.counters.messages_in == 1);
  CHECK(server.counters.messages_out == 1);
  CHECK(server.counters.last_code == 0);
  CHECK(TestServer::eventually([&] { return server.counters.destroyed == 1; }));
  CHECK(server.counters.cancelled == 0);
}

TEST_CASE("An empty message is a message") {
  TestServer server;
  TestClient client(server.address);
  CHECK(client.call("/test.Test/Echo", "").messages() == std::vector<std::string>{""});
}

TEST_CASE("A stream echoes message by message while the client keeps sending") {
  TestServer server;
  TestClient client(server.address);
  const int32_t id = client.start("/test.Test/Echo");
  for (size_t i = 1; i <= 20; ++i) {
    client.send(id, "message " + std::to_string(i));
    REQUIRE(client.wait_messages(id, i));
  }
  client.half_close(id);
  REQUIRE(client.wait_closed(id));
  CHECK(client.response(id).messages().back() == "message 20");
  CHECK(client.response(id).grpc_status() == 0);
}

TEST_CASE("Messages are found wherever the DATA frames cut them") {
  TestServer server;
  TestClient client(server.address);
  const std::string wire = grpc_frame("one") + grpc_frame("") + grpc_frame(std::string(1000, 'x'));
  for (const size_t piece : {1, 2, 3, 5, 7, 100, 2000}) {
    const int32_t id = client.start("/test.Test/Echo");
    for (size_t at = 0; at < wire.size(); at += piece) {
      client.send_raw(id, wire.substr(at, piece), at + piece >= wire.size());
    }
    REQUIRE(client.wait_closed(id));
    CHECK(client.response(id).messages() ==
          std::vector<std::string>{"one", "", std::string(1000, 'x')});
  }
}

TEST_CASE("Many calls share a connection") {
  TestServer server;
  TestClient client(server.address);
  std::vector<int32_t> ids;
  for (int i = 0; i < 500; ++i) {
    ids.push_back(client.start("/test.Test/Echo"));
    client.send(ids.back(), std::to_string(i), true);
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    REQUIRE(client.wait_closed(ids[i]));
    CHECK(client.response(ids[i]).messages() == std::vector<std::string>{std::to_string(i)});
  }
}

TEST_CASE(
    "A failure before any message is a trailers-only response with its text percent-encoded") {
  TestServer server;
  TestClient client(server.address);
  const auto response = client.call("/test.Test/Fail", "", {{"code", "11"}, {"text", "50% späť"}});
  CHECK(response.http_status == 200);
  CHECK(response.headers.at("grpc-status") == "11");
  CHECK(response.trailers.at("grpc-message") == "50%25 sp%C3%A4%C5%A5");
  CHECK(response.grpc_message() == "50% späť");
  CHECK(response.body.empty());
}

TEST_CASE("Unknown methods, services and malformed paths get grpc-go's texts") {
  TestServer server;
  TestClient client(server.address);
  struct Case {
    std::string path;
    std::string text;
  };
  for (const Case& c : {Case{"/test.Test/Nope", "unknown method Nope for service test.Test"},
                        Case{"/test.Tes/Echo", "unknown service test.Tes"},
                        Case{"/other.Service/X", "unknown service other.Service"},
                        Case{"//test.Test/Echo", "unknown service /test.Test"},
                        Case{"/test.Test/echo", "unknown method echo for service test.Test"},
                        Case{"/x", "malformed method name: \"/x\""}}) {
    const auto response = client.call(c.path, "x");
    CHECK(response.grpc_status() == 12);
    CHECK(response.grpc_message() == c.text);
  }
  CHECK(server.counters.started == 0);
}

TEST_CASE("What is no gRPC request is refused as grpc-go does") {
  TestServer server;
  TestClient client(server.address);
  auto headers = TestClient::grpc_headers("/test.Test/Echo");
  SUBCASE("content type") {
    headers.back().second = "application/json";
    const int32_t id = client.start_with(headers);
    REQUIRE(client.wait_closed(id));
    CHECK(client.response(id).http_status == 415);
    CHECK(client.response(id).grpc_message() ==
          "invalid gRPC request content-type \"application/json\"");
  }
  SUBCASE("content type with a longer name") {
    headers.back().second = "application/grpcx";
    const int32_t id = client.start_with(headers);
    REQUIRE(client.wait_closed(id));
    CHECK(client.response(id).http_status == 415);
  }
  SUBCASE("method") {
    headers[0].second = "PUT";
    const int32_t id = client.start_with(headers);
    REQUIRE(client.wait_closed(id));
    CHECK(client.response(id).http_status == 405);
    CHECK(client.response(id).grpc_message() ==
          "Received a HEADERS frame with :method \"PUT\" which should be POST");
  }
  SUBCASE("timeout") {
    headers.emplace_back("grpc-timeout", "1x");
    const int32_t id = client.start_with(headers);
    REQUIRE(client.wait_closed(id));
    CHECK(client.response(id).http_status == 400);
    CHECK(client.response(id).grpc_status() == 13);
    CHECK(client.response(id).grpc_message() ==
          "malformed grpc-timeout: transport: timeout unit is not recognized: \"1x\"");
  }
  CHECK(client.call("/test.Test/Echo", "still alive").grpc_status() == 0);
}

TEST_CASE("Subtypes and parameters of the content type are gRPC all the same") {
  TestServer server;
  TestClient client(server.address);
  for (const char* type :
       {"application/grpc+proto", "application/grpc;charset=utf-8", "Application/GRPC"}) {
    auto headers = TestClient::grpc_headers("/test.Test/Echo");
    headers.back().second = type;
    const int32_t id = client.start_with(headers);
    client.send(id, "x", true);
    REQUIRE(client.wait_closed(id));
    CHECK(client.response(id).grpc_status() == 0);
  }
}

TEST_CASE("Services see metadata without gRPC's own headers, binary values decoded") {
  TestServer server;
  TestClient client(server.address);
  const auto response = client.call("/test.Test/Metadata", "",
                                    {{"token", "abc"},
                                     {"grpc-timeout", "10S"},
                                     {"trace-bin", encode_base64("a\nb")},
                                     {"user-agent", "test/1"}});
  CHECK(response.messages() ==
        std::vector<std::string>{"token=abc\ntrace-bin=a\nb\nuser-agent=test/1\n"});
  const auto broken = client.call("/test.Test/Metadata", "", {{"trace-bin", "!!!"}});
  CHECK(broken.http_status == 400);
  CHECK(broken.grpc_status() == 13);
}

TEST_CASE("A message above the limit is refused by its announced length") {
  Limits limits;
  limits.receive_message_bytes_max = 1000;
  TestServer server(limits);
  TestClient client(server.address);
  CHECK(client.call("/test.Test/Echo", std::string(1000, 'x')).grpc_status() == 0);
  const auto response = client.call("/test.Test/Echo", std::string(1001, 'x'));
  CHECK(response.grpc_status() == 8);
  CHECK(response.grpc_message() == "grpc: received message larger than max (1001 vs. 1000)");
  // The length alone decides; no byte of the content needs to come.
  const int32_t id = client.start("/test.Test/Echo");
  client.send_raw(id, std::string("\0\xff\xff\xff\xff", 5), false);
  REQUIRE(client.wait_closed(id));
  CHECK(client.response(id).grpc_message() ==
        "grpc: received message larger than max (4294967295 vs. 1000)");
  CHECK(server.counters.cancelled == 2);
}

TEST_CASE("Broken framing ends the call, not the connection") {
  TestServer server;
  TestClient client(server.address);
  SUBCASE("an unknown flag") {
    const int32_t id = client.start("/test.Test/Echo");
    client.send_raw(id, std::string("\2\0\0\0\0", 5), true);
    REQUIRE(client.wait_closed(id));
    CHECK(client.response(id).grpc_status() == 13);
    CHECK(client.response(id).grpc_message() == "grpc: received unexpected payload format 2");
  }
  SUBCASE("the end within a message") {
    const int32_t id = client.start("/test.Test/Echo");
    client.send_raw(id, grpc_frame("message").substr(0, 8), true);
    REQUIRE(client.wait_closed(id));
    CHECK(client.response(id).grpc_status() == 13);
    CHECK(client.response(id).grpc_message() == "unexpected EOF");
  }
  CHECK(client.call("/test.Test/Echo", "x").grpc_status() == 0);
}

TEST_CASE("A call that ends early tells the client to stop sending") {
  TestServer server;
  TestClient client(server.address);
  const int32_t id = client.start("/test.Test/Early");
  REQUIRE(client.wait_closed(id));
  CHECK(client.response(id).grpc_status() == 9);
  CHECK(client.response(id).grpc_message() == "not now");
  CHECK(client.response(id).error_code == NGHTTP2_NO_ERROR);
  CHECK(server.counters.cancelled == 0);
}

TEST_CASE("Cancelling a call cancels its work; what it answers then goes nowhere") {
  TestServer server;
  TestClient client(server.address);
  const int32_t id = client.start("/test.Test/Hang");
  REQUIRE(TestServer::eventually([&] { return server.counters.started == 1; }));
  client.cancel(id);
  CHECK(TestServer::eventually([&] { return server.counters.destroyed == 1; }));
  CHECK(server.counters.cancelled == 1);
  CHECK(server.counters.last_code == 1);
  CHECK(client.call("/test.Test/Echo", "x").grpc_status() == 0);
}

TEST_CASE("Losing the connection cancels its calls") {
  TestServer server;
  {
    TestClient client(server.address);
    for (int i = 0; i < 3; ++i) client.start("/test.Test/Hang");
    REQUIRE(TestServer::eventually([&] { return server.counters.started == 3; }));
  }
  CHECK(TestServer::eventually([&] { return server.counters.destroyed == 3; }));
  CHECK(server.counters.cancelled == 3);
  CHECK(server.connections() == 0);
}

TEST_CASE("Half-closing leaves a stream alive") {
  TestServer server;
  TestClient client(server.address);
  const int32_t id = client.start("/test.Test/Hang");
  client.half_close(id);
  CHECK(TestServer::eventually([&] { return server.counters.half_closed == 1; }));
  client.pump(std::chrono::milliseconds(20));
  CHECK_FALSE(client.response(id).closed);
}

}  // namespace
}  // namespace lattice::proxy
