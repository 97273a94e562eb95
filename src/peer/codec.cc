#include "peer/codec.h"

#include <google/protobuf/io/coded_stream.h>

#include <array>
#include <utility>
#include <variant>

#include "peer/codec_requests.h"
#include "peer/codec_results.h"

namespace lattice::peer {
namespace {

// A client's transaction may be as deep as the client port's decoder takes it (100), and stands two
// levels down here.
constexpr int depth_max = 128;

}  // namespace

std::string encode_call(uint64_t id, const replica::LogId& log, replica::PeerRequest request) {
  v1::Frame frame;
  v1::Call* call = frame.add_calls();
  call->set_id(id);
  set_bytes(log, call->mutable_log());
  write_request(std::move(request), call);
  return frame.SerializeAsString();
}

std::string encode_answer(uint64_t id, const replica::PeerReply& reply) {
  v1::Frame frame;
  v1::Answer* answer = frame.add_answers();
  answer->set_id(id);
  write_reply(reply, answer);
  return frame.SerializeAsString();
}

std::optional<DecodedFrame> decode_frame(std::string_view bytes) {
  if (bytes.size() > INT32_MAX) return std::nullopt;
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(bytes.data()),
                                               static_cast<int>(bytes.size()));
  input.SetRecursionLimit(depth_max);
  v1::Frame frame;
  if (!frame.ParseFromCodedStream(&input) || !input.ConsumedEntireMessage()) return std::nullopt;
  DecodedFrame decoded;
  decoded.calls.reserve(static_cast<size_t>(frame.calls_size()));
  for (v1::Call& call : *frame.mutable_calls()) {
    DecodedCall& to = decoded.calls.emplace_back();
    to.id = call.id();
    if (get_bytes(call.log(), &to.log)) {
      to.request = read_request(&call);
    } else {
      to.request = Error::invalid_argument;
    }
  }
  decoded.answers.reserve(static_cast<size_t>(frame.answers_size()));
  for (const v1::Answer& answer : frame.answers()) {
    decoded.answers.push_back({answer.id(), read_reply(answer)});
  }
  return decoded;
}

size_t answer_index(size_t call) {
  // In the order of PeerCall: position, put, delete range, txn, compact, grant, revoke, keep alive,
  // time to live, leases, take over, witness, alarm, change of users.
  constexpr std::array<size_t, std::variant_size_v<replica::PeerCall>> table = {
      0, 1, 2, 3, 4, 5, 4, 6, 7, 8, 0, 0, 9, 4};
  return table[call];
}

}  // namespace lattice::peer
