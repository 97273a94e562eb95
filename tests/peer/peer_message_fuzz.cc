// Any bytes: a frame comes out as calls and answers that encode to a frame again, or not at all; a
// handshake takes none of them for genuine.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "peer/codec.h"
#include "peer/handshake.h"

namespace {

using namespace lattice::peer;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_frame(std::string_view input) {
  std::optional<DecodedFrame> frame = decode_frame(input);
  if (!frame) return;
  for (DecodedCall& call : frame->calls) {
    if (!call.request.ok()) continue;
    const size_t kind = call.request->call.index();
    const std::string bytes = encode_call(call.id, call.log, std::move(*call.request));
    std::optional<DecodedFrame> again = decode_frame(bytes);
    require(again && again->calls.size() == 1 && again->calls[0].request.ok());
    require(again->calls[0].request->call.index() == kind);
    require(encode_call(call.id, call.log, std::move(*again->calls[0].request)) == bytes);
  }
  for (const DecodedAnswer& answer : frame->answers) {
    const std::string bytes = encode_answer(answer.id, answer.reply);
    const std::optional<DecodedFrame> again = decode_frame(bytes);
    require(again && again->answers.size() == 1);
    require(again->answers[0].reply.answer.ok() == answer.reply.answer.ok());
    require(encode_answer(answer.id, again->answers[0].reply) == bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check_frame(input);
  static const lattice::Keyring keyring({"secret"});
  require(!ClientHandshake(keyring, "cluster", {1}).on_welcome(input).ok());
  ServerHandshake server(keyring, "cluster", {2});
  static_cast<void>(server.on_hello(input));
  require(!ServerHandshake(keyring, "cluster", {2}).on_proof(input).ok());
  FrameKey key(lattice::sha256("key"));
  require(!key.open(input));
  return 0;
}
