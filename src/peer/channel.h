// The calls to one other node: its connection, the calls that wait for it, and those whose answers
// are awaited.
//
//   idle -> connecting (TCP, HTTP/2, handshake) -> ready -> lost -> (backoff) -> connecting ...
//
// A connection is made when there is something to send, and kept for a while after. When it is lost
// or cannot be made, everything that waits fails at once: its caller knows better than we do
// whether to ask the same node again.
//
// Unsent or lost: a call is unsent as long as no byte of the message that carries it has left the
// stream's queue. The peer acts on whole, authenticated messages only.
//
// Thread: the loop's. Ownership: the PeerClient's.
// Invariant: each callback runs at most once, never inside call(), and not after its caller's
//   `alive` has turned false.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "peer/codec.h"
#include "peer/handshake.h"
#include "peer/surroundings.h"
#include "proxy/http2_client.h"

namespace lattice::peer {

class Channel final : private proxy::ClientStreamEvents {
 public:
  Channel(Surroundings& around, std::shared_ptr<proxy::ClientContext> context, TroubleLog& trouble,
          std::string address);
  ~Channel() override;

  struct Caller {
    replica::LogId log{};
    std::shared_ptr<const bool> alive;
  };
  void call(const Caller& caller, replica::PeerRequest request, Callback<replica::PeerReply> done);
  // Drops the callbacks of callers that are gone.
  void forget_dead_callers();
  // Nothing waits, nothing is connected, and no backoff must be remembered.
  bool disposable() const;
  const std::string& address() const { return address_; }

 private:
  struct Pending {
    Callback<replica::PeerReply> done;
    std::shared_ptr<const bool> alive;
    size_t kind = 0;      // the alternative of PeerCall
    std::string encoded;  // empty once sent
    bool sent = false;    // given to the stream
    uint64_t start = 0;   // of its message in the stream, once sent
    Instant deadline;     // for leaving, then for the answer
    Instant answer_until;
  };

  // The connection.
  void connect();
  void on_message(Bytes message) override;
  void on_sent(size_t bytes) override;
  void on_end(const proxy::ClientStreamEnd& end) override;
  void on_welcome(std::string_view message);
  void on_frame(std::string_view message);
  void disconnect();
  // The connection is over, or never came: settles what was on it.
  void on_lost(const std::string& reason);
  void send(Bytes message);

  // The calls.
  void schedule_flush();
  void flush();
  std::string next_frame();
  void settle(uint64_t id, Result<replica::PeerReply> result);
  void answer(DecodedAnswer answer);
  void wake_at(Instant when);
  void on_wake();
  void expire(Instant now);
  Status failure(const Pending& pending, const std::string& reason) const;

  Surroundings& around_;
  const Limits& limits_;
  std::shared_ptr<proxy::ClientContext> context_;
  TroubleLog& trouble_;
  const std::string address_;

  std::unique_ptr<proxy::Http2Client> client_;  // null: not connected nor connecting
  std::unique_ptr<proxy::ClientStream> stream_;
  std::unique_ptr<ClientHandshake> handshake_;
  std::unique_ptr<FrameKeys> keys_;  // null: not ready
  std::unique_ptr<loop::TimerHandle> connect_timer_;
  uint64_t queued_bytes_ = 0;  // given to the stream since it began

  absl::flat_hash_map<uint64_t, Pending> pending_;
  std::deque<uint64_t> waiting_;  // not sent, in order; those that are settled are skipped
  size_t waiting_calls_ = 0;
  size_t waiting_bytes_ = 0;
  uint64_t last_id_ = 0;
  bool flush_scheduled_ = false;

  Duration backoff_{};
  Instant retry_at_;
  Instant last_used_;
  Instant wake_at_ = Instant::never();
  std::unique_ptr<loop::TimerHandle> wake_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lattice::peer
