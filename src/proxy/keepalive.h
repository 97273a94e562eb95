// gRPC keepalive on the server's side: how often a peer may ping (etcd-v3.md 4.7, grpc-go's
// enforcement policy) and when the server itself pings a silent peer. Thread: one (pure).
#pragma once

#include "base/time.h"
#include "proxy/listener.h"

namespace lattice::proxy {

class PingPolicy {
 public:
  explicit PingPolicy(const Limits& limits) : limits_(limits) {}

  // A ping arrived while `open_streams` ran. False: the peer has pinged too often; it gets a GOAWAY
  // with ENHANCE_YOUR_CALM and "too_many_pings".
  bool on_ping(Instant now, size_t open_streams);
  // HEADERS or DATA were sent: pings that measure their effect (gRPC's bandwidth estimation) are
  // fair.
  void on_output() { forgive_next_ = true; }

 private:
  // Without a stream and without permission a ping is fair every two hours.
  static constexpr Duration min_time_without_stream = std::chrono::hours(2);
  static constexpr int strikes_max = 2;

  const Limits& limits_;
  Instant last_ping_{INT64_MIN / 2};
  int strikes_ = 0;
  bool forgive_next_ = false;
};

// Decides when to ping and when to give up.
class PeerWatch {
 public:
  enum class Action : uint8_t { none, ping, give_up };

  PeerWatch(const Limits& limits, Instant now) : limits_(limits), last_heard_(now) {}

  void on_input(Instant now) {
    last_heard_ = now;
    waiting_since_ = Instant::never();
  }
  Action on_tick(Instant now);

 private:
  const Limits& limits_;
  Instant last_heard_;
  Instant waiting_since_ = Instant::never();  // when an unanswered ping was sent
};

}  // namespace lattice::proxy
