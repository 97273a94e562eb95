// Plain HTTP beside gRPC on one port, over HTTP/1.1 and HTTP/2.
#include <doctest/doctest.h>

#include "test_client.h"
#include "test_server.h"

namespace lattice::proxy {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view cors =
    "access-control-allow-methods: POST, GET, OPTIONS, PUT, DELETE\r\n"
    "access-control-allow-headers: accept, content-type, authorization\r\n"
    "access-control-allow-origin: *\r\n";

// Sends `text` in pieces and reads until the server closes, or `enough` is there.
std::string talk(const std::string& address, std::string_view text, std::string_view enough = {},
                 size_t piece = SIZE_MAX) {
  const int fd = connect_to(address);
  REQUIRE(fd >= 0);
  timeval patience{10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  while (!text.empty()) {
    const std::string_view part = text.substr(0, piece);
    if (send(fd, part.data(), part.size(), MSG_NOSIGNAL) <= 0) break;
    text.remove_prefix(part.size());
  }
  std::string answer;
  char buffer[65536];
  while (enough.empty() || answer.find(enough) == std::string::npos) {
    const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    if (size <= 0) break;
    answer.append(buffer, static_cast<size_t>(size));
  }
  close(fd);
  return answer;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("A GET is answered with CORS headers, and the connection stays") {
  TestServer server;
  const std::string answer = talk(server.address,
                                  "GET /version?a=b HTTP/1.1\r\nHost: h\r\n\r\n"
                                  "GET /later HTTP/1.1\r\nHost: h\r\n\r\n"
                                  "GET /tree/x/y HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"));
  CHECK(contains(answer, cors));
  CHECK(contains(answer, "\r\nContent-Length: 16\r\n\r\nGET /version?a=bHTTP/1.1 200 OK\r\n"));
  CHECK(contains(answer, "\r\n\r\nlaterHTTP/1.1 200 OK\r\n"));
  CHECK(answer.ends_with("\r\nConnection: close\r\n\r\nbelow /tree/x/y"));
}

TEST_CASE("Unknown paths are 404, OPTIONS is 200 everywhere, HEAD has no body") {
  TestServer server;
  const std::string answer = talk(server.address,
                                  "GET /nope HTTP/1.1\r\nHost: h\r\n\r\n"
                                  "OPTIONS /nope HTTP/1.1\r\nHost: h\r\n\r\n"
                                  "HEAD /version HTTP/1.0\r\nHost: h\r\n\r\n");
  CHECK(
      answer.starts_with("HTTP/1.1 404 Not Found\r\ncontent-type: text/plain; charset=utf-8\r\n"));
  CHECK(contains(answer, "\r\n\r\n404 page not found\nHTTP/1.1 200 OK\r\n"));
  CHECK(contains(answer, "Content-Length: 0\r\n"));
  CHECK(answer.ends_with("Content-Length: 14\r\nConnection: close\r\n\r\n"));
}

TEST_CASE("Bodies come with a length, in chunks, and after 100 Continue") {
  TestServer server;
  const std::string large(1'500'000, 'b');
  const std::string answer = talk(server.address,
                                  "POST /upload HTTP/1.1\r\nHost: h\r\nExpect: "
                                  "100-continue\r\nContent-Length: 1500000\r\n\r\n" +
                                      large +
                                      "POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
                                      "chunked\r\nConnection: close\r\n\r\n"
                                      "5\r\nhello\r\n0\r\n\r\n",
                                  {}, 10'000);
  CHECK(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
  CHECK(contains(answer, "\r\n\r\n1500000HTTP/1.1 200"));
  CHECK(answer.ends_with("\r\n\r\n5"));
}

TEST_CASE("Malformed and oversized requests are refused and the connection closed") {
  TestServer server;
  CHECK(talk(server.address, "rubbish\r\n\r\n").starts_with("HTTP/1.1 400 Bad Request\r\n"));
  CHECK(talk(server.address, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(talk(server.address, "GET / HTTP/3.0\r\nHost: h\r\n\r\n").starts_with("HTTP/1.1 505 "));
  const std::string huge = "GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\n";
  CHECK(talk(server.address, huge).starts_with("HTTP/1.1 431 "));
  const std::string large = "POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n";
  CHECK(talk(server.address, large).starts_with("HTTP/1.1 413 "));
  TestClient client(server.address);
  CHECK(client.call("/test.Test/Echo", "x").grpc_status() == 0);
}

TEST_CASE("A long pipeline is answered in order without recursion") {
  TestServer server;
  std::string requests;
  for (int i = 0; i < 5000; ++i)
    requests += "GET /tree/" + std::to_string(i) + " HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  const std::string answer = talk(server.address, requests, "below /tree/4999");
  size_t at = 0;
  for (int i = 0; i < 5000; ++i) {
    at = answer.find("below /tree/" + std::to_string(i), at);
    REQUIRE(at != std::string::npos);
  }
}

TEST_CASE("An upgrade to h2c is not taken: the request is answered as HTTP/1.1") {
  TestServer server;
  const std::string answer =
      talk(server.address,
           "GET /version HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, "
           "HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("Plain requests over HTTP/2 reach the same handlers") {
  TestServer server;
  TestClient client(server.address);
  const auto version = client.http("GET", "/version?q");
  CHECK(version.http_status == 200);
  CHECK(version.body == "GET /version?q");
  CHECK(version.headers.at("access-control-allow-origin") == "*");
  CHECK(version.headers.at("content-length") == "14");
  CHECK(client.http("POST", "/upload", std::string(300'000, 'x')).body == "300000");
  CHECK(client.http("GET", "/later").body == "later");
  CHECK(client.http("OPTIONS", "/nope").http_status == 200);
  CHECK(client.http("HEAD", "/version").body.empty());
  const auto missing = client.http("GET", "/nope");
  CHECK(missing.http_status == 404);
  CHECK(missing.body == "404 page not found\n");
  CHECK(client.http("POST", "/upload", std::string(3'000'000, 'x')).http_status == 413);
  CHECK(client.call("/test.Test/Echo", "x").grpc_status() == 0);
}

TEST_CASE("The answer to a client that has left is dropped") {
  TestServer server;
  for (int i = 0; i < 20; ++i) {
    const int fd = connect_to(server.address);
    const std::string request = "GET /later HTTP/1.1\r\nHost: h\r\n\r\n";
    REQUIRE(send(fd, request.data(), request.size(), 0) > 0);
    const linger reset{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
  }
  CHECK(TestServer::eventually([&] { return server.connections() == 0; }));
}

TEST_CASE("Addresses that cannot be listened on say why") {
  loop::Loop loop;
  Router router;
  TestServer server;
  const auto taken = Listener::listen(loop, server.address, router, {}, nullptr, false);
  CHECK(taken.error() == Error::io);
  CHECK(taken.status().detail() ==
        "listen on " + server.address + ": bind: Address already in use");
  CHECK(Listener::listen(loop, "nonsense", router, {}, nullptr, false).error() ==
        Error::invalid_argument);
  CHECK(Listener::listen(loop, "127.0.0.1:99999", router, {}, nullptr, false).error() ==
        Error::invalid_argument);
  CHECK(Listener::listen(loop, "[::1]:0", router, {}, nullptr, false).ok());
}

}  // namespace
}  // namespace lattice::proxy
