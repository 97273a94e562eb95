#include "proxy/header_rules.h"

#include <doctest/doctest.h>

#include <string_view>
#include <utility>
#include <vector>

namespace lattice::proxy {
namespace {

using Headers = std::vector<std::pair<std::string_view, std::string_view>>;

// Whether a request with these headers is well-formed.
bool well_formed(const Headers& headers) {
  HeaderRules rules;
  rules.begin();
  for (const auto& [name, value] : headers) {
    if (!rules.accepts(name, value)) return false;
  }
  return rules.complete();
}

// A complete request with one header more, in front or behind.
bool well_formed_with(std::string_view name, std::string_view value) {
  return well_formed(
      {{":method", "POST"}, {":scheme", "http"}, {":path", "/a/b"}, {"x", "y"}, {name, value}});
}

TEST_CASE("a request names method, scheme and path") {
  CHECK(well_formed({{":method", "POST"}, {":path", "/"}, {":scheme", "http"}}));
  CHECK_FALSE(well_formed({{":method", "POST"}, {":scheme", "http"}}));
  CHECK_FALSE(well_formed({{":method", "POST"}, {":path", "/"}}));
  CHECK_FALSE(well_formed({{":scheme", "http"}, {":path", "/"}}));
}

TEST_CASE("any authority will do, that of etcd's older clients too") {
  for (std::string_view authority :
       {"localhost:2379", "http://127.0.0.1:2379", "#initially=[http://127.0.0.1:2379]", ""}) {
    CHECK(well_formed(
        {{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", authority}}));
  }
}

TEST_CASE("pseudo-headers come first, once, and are known") {
  CHECK_FALSE(well_formed_with(":authority", "late"));
  CHECK_FALSE(well_formed({{":method", "POST"}, {":method", "GET"}}));
  CHECK_FALSE(well_formed({{":protocol", "websocket"}}));
  CHECK_FALSE(well_formed({{":status", "200"}}));
}

TEST_CASE("names are lower-case tokens, values hold no line ends") {
  CHECK(well_formed_with("x-name", "any \xff value"));
  CHECK_FALSE(well_formed_with("X-Name", "v"));
  CHECK_FALSE(well_formed_with("x name", "v"));
  CHECK_FALSE(well_formed_with("", "v"));
  CHECK_FALSE(well_formed_with("x", "a\r\nb: c"));
  CHECK_FALSE(well_formed_with("x", std::string_view("a\0b", 3)));
}

TEST_CASE("headers of HTTP/1.1 connections are forbidden") {
  for (std::string_view name :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) {
    CHECK_FALSE(well_formed_with(name, "x"));
  }
  CHECK(well_formed_with("te", "trailers"));
  CHECK_FALSE(well_formed_with("te", "gzip"));
}

TEST_CASE("each block starts anew") {
  HeaderRules rules;
  for (int block = 0; block < 2; ++block) {
    rules.begin();
    CHECK_FALSE(rules.complete());
    CHECK(rules.accepts(":method", "POST"));
    CHECK(rules.accepts(":scheme", "http"));
    CHECK(rules.accepts(":path", "/"));
    CHECK(rules.accepts("x", "y"));
    CHECK(rules.complete());
  }
}

}  // namespace
}  // namespace lattice::proxy
