#include "proxy/message_counter.h"

#include <doctest/doctest.h>

#include <string>

#include "proxy/test_client.h"

namespace lattice::proxy {
namespace {

TEST_CASE("messages are counted wherever the body is cut") {
  const std::string body =
      grpc_frame("") + grpc_frame("one") + grpc_frame(std::string(70'000, 'x'), true);
  for (const size_t step : {size_t{1}, size_t{4}, size_t{7}, body.size()}) {
    MessageCounter counter;
    size_t ended = 0;
    for (size_t at = 0; at < body.size(); at += step) {
      ended += counter.feed(std::string_view(body).substr(at, step));
    }
    CHECK(ended == 3);
  }
  MessageCounter counter;
  CHECK(counter.feed(std::string_view(body).substr(0, body.size() - 1)) == 2);
}

}  // namespace
}  // namespace lattice::proxy
