// The answers that one stream has ready, and the way to it for those that come later: one message
// for each turn of the loop.
//
// Thread: the loop's.
// Ownership: shared by the stream's call and the answers that are under way; close() when the
//   stream has gone, from when on answers are dropped.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "loop/loop.h"
#include "peer/handshake.h"
#include "proxy/call.h"
#include "replica/peers.h"

namespace lattice::peer {

class Outbox : public std::enable_shared_from_this<Outbox> {
 public:
  Outbox(loop::Loop& loop, proxy::ServerStream& stream, FrameKey key)
      : loop_(loop), stream_(&stream), key_(std::move(key)) {}

  // For the call with this id, once. Dropped without a use it answers that nobody knows.
  absl::AnyInvocable<void(replica::PeerReply)> expect(uint64_t id);
  size_t expected() const { return expected_; }
  void answer(uint64_t id, const replica::PeerReply& reply);
  void close() { stream_ = nullptr; }

 private:
  class Ticket;
  void flush();

  loop::Loop& loop_;
  proxy::ServerStream* stream_;  // null: gone
  FrameKey key_;
  std::string frame_;  // encoded answers, one behind the other
  size_t expected_ = 0;
  bool flush_scheduled_ = false;
};

}  // namespace lattice::peer
