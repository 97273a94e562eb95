// Any bytes, cut anywhere: the parser neither crashes nor exceeds its limits, and where the input
// is cut changes nothing.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proxy/http1_parser.h"

namespace {

using lattice::proxy::Http1Parser;
using lattice::proxy::HttpRequest;

constexpr size_t head_max = 2048;
constexpr size_t body_max = 4096;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Outcome {
  int error = 0;
  bool complete = false;
  HttpRequest request;
};

Outcome parse(std::string_view input, size_t piece) {
  Http1Parser parser(head_max, body_max);
  while (!input.empty() && parser.error() == 0 && !parser.complete()) {
    const size_t taken = parser.feed(input.substr(0, piece));
    require(taken > 0 && taken <= input.size());
    input.remove_prefix(taken);
  }
  Outcome outcome{parser.error(), parser.complete(), {}};
  require(outcome.error == 0 || !outcome.complete);
  if (outcome.complete) outcome.request = parser.take();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Outcome whole = parse(input, SIZE_MAX);
  require(whole.request.body.size() <= body_max);
  if (whole.complete) {
    require(!whole.request.method.empty() && !whole.request.path.empty());
    for (const auto& [name, value] : whole.request.headers) {
      require(!name.empty());
      require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    }
  }
  const Outcome bytewise = parse(input, 1);
  // A head that is over the limit may be noticed before or after its first error.
  if (whole.error == 431 || bytewise.error == 431) return 0;
  require(whole.error == bytewise.error && whole.complete == bytewise.complete);
  require(whole.request.body == bytewise.request.body);
  require(whole.request.headers == bytewise.request.headers);
  return 0;
}
