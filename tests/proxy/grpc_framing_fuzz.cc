// Any bytes, cut anywhere: the assembler finds the same messages, holds little more than it was
// given, and inflating keeps to its limit.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/grpc_text.h"
#include "proxy/gzip.h"
#include "proxy/message_assembler.h"

namespace {

using lattice::Bytes;
using lattice::proxy::GzipInflater;
using lattice::proxy::MessageAssembler;

constexpr size_t message_max = 100'000;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Outcome {
  MessageAssembler::Outcome end = MessageAssembler::Outcome::ok;
  bool at_boundary = true;
  std::vector<std::string> messages;
  bool operator==(const Outcome&) const = default;
};

// Nothing: it is corrupt or too large.
std::optional<std::string> inflate(const Bytes& message, size_t piece) {
  GzipInflater inflater(message, message_max);
  GzipInflater::State state = GzipInflater::State::more;
  while (state == GzipInflater::State::more) state = inflater.run(piece);
  if (state != GzipInflater::State::done) return std::nullopt;
  const Bytes inflated = inflater.take();
  require(inflated.size() <= message_max);
  return std::string(inflated.view());
}

Outcome assemble(std::string_view input, size_t piece) {
  MessageAssembler assembler(message_max);
  Outcome outcome;
  size_t fed = 0;
  while (!input.empty() && outcome.end == MessageAssembler::Outcome::ok) {
    std::string_view part = input.substr(0, piece);
    input.remove_prefix(part.size());
    fed += part.size();
    outcome.end = assembler.feed(&part, [&](Bytes message, bool compressed) {
      if (compressed) {
        require(inflate(message, SIZE_MAX) == inflate(message, 100));
      }
      outcome.messages.emplace_back(message.view());
      return true;
    });
    require(assembler.held() <= 2 * fed + (16 << 10));
  }
  outcome.at_boundary = assembler.at_boundary();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Outcome whole = assemble(input, SIZE_MAX);
  require(whole == assemble(input, 1));
  require(whole == assemble(input, 7));
  const std::string text(input);
  require(lattice::proxy::percent_decode(lattice::proxy::percent_encode(text)) == text);
  require(lattice::proxy::decode_base64(lattice::proxy::encode_base64(text)) == text);
  lattice::proxy::parse_grpc_timeout(text);
  lattice::proxy::decode_base64(text);
  return 0;
}
