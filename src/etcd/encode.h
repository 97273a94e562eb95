// Responses as wire bytes. Key-values are already encoded (KvRecord): large ones are spliced into
// the response by reference, small ones copied, since a reference costs more than a short copy. One
// allocation holds everything that is not spliced.
//
// Thread: the loop's. Ownership: the chains keep alive what they refer to.
#pragma once

#include <string_view>

#include "base/byte_chain.h"
#include "etcd/identity.h"
#include "keyspace/requests.h"
#include "replica/watch.h"

namespace lattice::etcd {

// Key-values from this size on are spliced.
inline constexpr size_t splice_bytes_min = 512;

struct Header {
  const Identity& identity;
  uint64_t raft_term = 0;
};
size_t header_size(const Header& header, Revision revision);

// The header's revision is the result's own.
ByteChain encode(const Header& header, const keyspace::RangeResult& result);
ByteChain encode(const Header& header, const keyspace::PutResult& result);
ByteChain encode(const Header& header, const keyspace::DeleteRangeResult& result);
ByteChain encode(const Header& header, const keyspace::TxnResult& result);
// RangeStreamResponse: the range response as field 1. Chunks before the last carry key-values only.
ByteChain encode_stream_chunk(const keyspace::RangeResult& result);
ByteChain encode_stream_end(const Header& header, const keyspace::RangeResult& result);
// The rest of a range response that begins with an encode()d one: key-values, `more` and the count,
// the last two where they are not zero.
ByteChain encode_rest(const keyspace::RangeResult& result);
// A message whose only field is the header.
ByteChain encode_header_only(const Header& header, Revision revision);

// Watch responses. The events of a delivery are encoded once and shared by all watches that get
// them.
struct EncodedEvents {
  ByteChain body;  // repeated field 11 of WatchResponse
};
EncodedEvents encode_events(const replica::WatchEvent* events, size_t count);
struct WatchMessage {
  Revision revision{};
  WatchId id{};
  bool created = false;
  bool canceled = false;
  bool fragment = false;
  Revision compact_revision{};
  std::string_view cancel_reason{};
  const EncodedEvents* events = nullptr;
};
ByteChain encode(const Header& header, const WatchMessage& message);

}  // namespace lattice::etcd
