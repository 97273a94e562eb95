#include "proxy/trace_context.h"

#include <doctest/doctest.h>

#include <string>

namespace lattice::proxy {
namespace {

const std::string valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST_CASE("a valid traceparent is taken apart") {
  const auto context = parse_traceparent(valid);
  REQUIRE(context);
  CHECK(context->trace_id == "4bf92f3577b34da6a3ce929d0e0e4736");
  CHECK(context->span_id == "00f067aa0ba902b7");
  CHECK(context->flags == "01");
  // Of a version to come, which may append fields.
  CHECK(parse_traceparent("cc" + valid.substr(2)));
  CHECK(parse_traceparent("cc" + valid.substr(2) + "-what"));
}

TEST_CASE("what the recommendation calls invalid is none") {
  const auto with = [](size_t at, std::string_view text) {
    return std::string(valid).replace(at, text.size(), text);
  };
  for (const std::string& text :
       {std::string(), valid.substr(0, 54), valid + "0", valid + "-00", with(0, "ff"),
        with(0, "0g"), with(2, "_"), with(35, "_"), with(52, "_"), with(3, "4BF92F"),
        with(3, std::string(32, '0')), with(36, std::string(16, '0')), with(53, "x1"),
        "cc" + valid.substr(2) + "what"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_traceparent(text));
  }
}

TEST_CASE("a request id is visible and short") {
  CHECK(is_request_id("6b0d-1"));
  CHECK(is_request_id(std::string(128, 'x')));
  for (const std::string& text :
       {std::string(), std::string(129, 'x'), std::string("a b"), std::string("a\n"),
        std::string("\x7f"), std::string("\xc3\xa4")}) {
    CHECK_FALSE(is_request_id(text));
  }
}

}  // namespace
}  // namespace lattice::proxy
