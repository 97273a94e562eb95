// One decoder against the generated class: both accept the same bytes and read the same out of
// them.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

#include "etcd/decode.h"
#include "etcd/plain_request.h"

namespace lattice::etcd::testing {

// The wire form without unknown fields, which only the generated classes keep.
template <class Message>
std::string canonical(Message message) {
  message.DiscardUnknownFields();
  if constexpr (std::is_same_v<Message, etcdserverpb::TxnRequest>) settle_operands(&message);
  return message.SerializeAsString();
}

// Empty when they agree, else what differs.
template <class Message, class Request>
std::string disagreement(std::string_view bytes, Result<Request> (*decode)(std::string_view)) {
  Message expected;
  bool parses = expected.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  Result<Request> decoded = decode(bytes);
  // Nesting has other bounds here than in the generated parser.
  if (decoded.error() == Error::too_many_ops) return {};
  if (decoded.ok() != parses)
    return parses ? "refused what parses" : "accepted what does not parse";
  if (!parses) return {};
  Message again;
  to_message(*decoded, &again);
  return again.SerializeAsString() == canonical(expected) ? "" : "read something else";
}

inline std::string range_disagreement(std::string_view bytes) {
  return disagreement<etcdserverpb::RangeRequest>(bytes, &decode_range);
}
inline std::string put_disagreement(std::string_view bytes) {
  return disagreement<etcdserverpb::PutRequest>(bytes, &decode_put);
}
inline std::string delete_disagreement(std::string_view bytes) {
  return disagreement<etcdserverpb::DeleteRangeRequest>(bytes, &decode_delete_range);
}
inline std::string txn_disagreement(std::string_view bytes) {
  return disagreement<etcdserverpb::TxnRequest>(bytes, &decode_txn);
}

}  // namespace lattice::etcd::testing
