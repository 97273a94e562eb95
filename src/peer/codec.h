// Calls and answers as bytes: proto/lattice/peer/v1/peer.proto. Nothing that arrives is trusted:
// sizes, depths and missing parts come out as errors.
// Thread: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "replica/peers.h"

namespace lattice::peer {

// One element of a Frame each. Several, one behind the other, are a Frame.
std::string encode_call(uint64_t id, const replica::LogId& log, replica::PeerRequest request);
std::string encode_answer(uint64_t id, const replica::PeerReply& reply);

struct DecodedCall {
  uint64_t id = 0;
  replica::LogId log{};
  // An error: `unimplemented` for a kind that this version does not know, `invalid_argument` for
  // parts that make no sense.
  Result<replica::PeerRequest> request = Error::internal;
};
struct DecodedAnswer {
  uint64_t id = 0;
  replica::PeerReply reply;
};
struct DecodedFrame {
  std::vector<DecodedCall> calls;
  std::vector<DecodedAnswer> answers;
};
// nullopt: the bytes are no Frame.
std::optional<DecodedFrame> decode_frame(std::string_view bytes);

// The alternative of PeerAnswer that answers a call of the alternative `call` of PeerCall.
size_t answer_index(size_t call);

}  // namespace lattice::peer
