#include "proxy/http1_parser.h"

#include <doctest/doctest.h>

namespace lattice::proxy {
namespace {

// The status that refuses the request, 0 when it is complete, -1 when more is wanted.
int outcome(std::string_view text, size_t body_max = 1000) {
  Http1Parser parser(500, body_max);
  parser.feed(text);
  if (parser.error() != 0) return parser.error();
  return parser.complete() ? 0 : -1;
}

int with_headers(const std::string& headers) {
  return outcome("GET / HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n");
}

TEST_CASE("A request is taken apart") {
  Http1Parser parser(1000, 1000);
  const std::string text =
      "POST /v3/kv/range?a=b%20c&d HTTP/1.1\r\nHost: example\r\nContent-Length: 5\r\n"
      "X-Thing:  spaced \t\r\n\r\nhelloGET";
  CHECK(parser.feed(text) == text.size() - 3);
  REQUIRE(parser.complete());
  CHECK(parser.keep_alive());
  const HttpRequest request = parser.take();
  CHECK(request.method == "POST");
  CHECK(request.path == "/v3/kv/range");
  CHECK(request.query == "a=b%20c&d");
  CHECK(request.body == "hello");
  CHECK(request.headers[2] == std::pair<std::string, std::string>{"x-thing", "spaced"});
  CHECK_FALSE(parser.complete());
}

TEST_CASE("Requests may come byte by byte") {
  const std::string text =
      "\r\nPUT /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
  Http1Parser parser(1000, 1000);
  for (const char c : text) {
    REQUIRE(parser.error() == 0);
    REQUIRE_FALSE(parser.complete());
    CHECK(parser.feed({&c, 1}) == 1);
  }
  REQUIRE(parser.complete());
  CHECK(parser.take().body == "abc0123456789");
}

TEST_CASE("The forms of a target") {
  CHECK(outcome("GET http://host/path?q HTTP/1.1\r\nHost: h\r\n\r\n") == 0);
  CHECK(outcome("GET http://host HTTP/1.1\r\nHost: h\r\n\r\n") == 0);
  CHECK(outcome("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n") == 0);
  CHECK(outcome("GET * HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
  CHECK(outcome("GET path HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
  CHECK(outcome("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
  CHECK(outcome("GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
}

TEST_CASE("Request lines that are none") {
  CHECK(outcome("GET /\r\n\r\n") == 400);
  CHECK(outcome(" GET / HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
  CHECK(outcome("GET  HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
  CHECK(outcome("G(T / HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
  CHECK(outcome("GET / HTTP/2.0\r\nHost: h\r\n\r\n") == 505);
  CHECK(outcome("GET / HTTP/1.1 \r\nHost: h\r\n\r\n") == 400);
  CHECK(outcome("GET / FTP/1.1\r\nHost: h\r\n\r\n") == 400);
}

TEST_CASE("What smuggling is made of is refused") {
  CHECK(with_headers("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n") == 400);
  CHECK(with_headers("Content-Length: 1\r\nContent-Length: 1\r\n") == 400);
  CHECK(with_headers("Content-Length: 1, 1\r\n") == 400);
  CHECK(with_headers("Content-Length: +1\r\n") == 400);
  CHECK(with_headers("Content-Length: 0x1\r\n") == 400);
  CHECK(with_headers("Content-Length: \r\n") == 400);
  CHECK(with_headers("Content-Length: 99999999999999999999\r\n") == 400);
  CHECK(with_headers("Content-Length : 1\r\n") == 400);
  CHECK(with_headers("Transfer-Encoding: gzip, chunked\r\n") == 501);
  CHECK(with_headers("Transfer-Encoding: xchunked\r\n") == 501);
  CHECK(with_headers("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") == 400);
  CHECK(with_headers("A: b\r\n folded\r\n") == 400);
  CHECK(with_headers("Host: again\r\n") == 400);
  CHECK(with_headers("No-Colon\r\n") == 400);
  CHECK(with_headers(": no name\r\n") == 400);
  CHECK(with_headers("A: bare\nB: newline\r\n") == 400);
  CHECK(with_headers("A: bare\rreturn\r\n") == 400);
  CHECK(with_headers(std::string("A: nul\0byte\r\n", 13)) == 400);
  CHECK(with_headers("Expect: tea\r\n") == 417);
  CHECK(with_headers("A: b\r\n") == 0);
  CHECK(outcome("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(outcome("GET / HTTP/1.0\r\n\r\n") == 0);
  CHECK(outcome("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == 400);
}

TEST_CASE("Broken chunks are refused") {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(outcome(head + "0\r\n\r\n") == 0);
  CHECK(outcome(head + "1\r\nab\r\n0\r\n\r\n") == 400);
  CHECK(outcome(head + "\r\n") == 400);
  CHECK(outcome(head + "-1\r\n") == 400);
  CHECK(outcome(head + "1 \r\na\r\n0\r\n\r\n") == 400);
  CHECK(outcome(head + "1\na\r\n") == 400);
  CHECK(outcome(head + "fffffffffffffffff\r\n") == 400);
  CHECK(outcome(head + "3e9\r\n") == 413);
  CHECK(outcome(head + std::string(300, '0')) == 400);
  CHECK(outcome(head + "0\r\nbad trailer\r\n\r\n") == 400);
  CHECK(outcome(head + "3\r\nabc\r\n") == -1);
}

TEST_CASE("Sizes are limited while reading") {
  CHECK(outcome("GET /" + std::string(600, 'x')) == 431);
  CHECK(with_headers("A: " + std::string(600, 'x') + "\r\n") == 431);
  CHECK(with_headers("Content-Length: 1001\r\n") == 413);
  CHECK(with_headers("Content-Length: 1000\r\n") == -1);
}

TEST_CASE("Whether the connection stays") {
  const auto keeps = [](std::string_view text) {
    Http1Parser parser(500, 0);
    parser.feed(text);
    REQUIRE(parser.complete());
    return parser.keep_alive();
  };
  CHECK(keeps("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.1\r\nHost: h\r\nConnection: a, close ,b\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  CHECK(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

}  // namespace
}  // namespace lattice::proxy
