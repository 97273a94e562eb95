// What an overloaded process does not do: reads and new watches that have waited too long for their
// turn. What changes something, leases and health are never among it.
// Thread: the connection's loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "etcd/services.h"
#include "proxy/call.h"

namespace lattice::etcd {

// How late in the loop's turn requests of one kind come to be served. They were there when it
// began, so they have waited for as long, and so has everything behind them. Where that is too long
// for a while, those that come late in their turns are refused, which keeps turns short.
class TurnLag {
 public:
  static constexpr Duration target = std::chrono::milliseconds(100);
  static constexpr Duration interval = std::chrono::milliseconds(500);

  // A request comes at `now`, in the turn that began at `turn`: for how long it has waited, if that
  // is too long; otherwise zero.
  Duration overdue(Instant turn, Instant now) {
    if (turn != turn_ && longest_ < target) over_since_.reset();
    turn_ = turn;
    longest_ = now - turn;
    if (longest_ < target) return {};
    if (!over_since_) over_since_ = now;
    return now - *over_since_ >= interval ? longest_ : Duration{};
  }

 private:
  Instant turn_;  // of the newest request
  Duration longest_{};
  std::optional<Instant> over_since_;
};

// Lists that were let in and have nothing to show yet. All that one turn lets in are read together
// behind it, so without a limit a turn could let in, and the next one would have to build, what
// takes seconds.
class ListBurst {
 public:
  static constexpr size_t bytes_max = 256 << 20;
  static constexpr size_t lists_min = 16;  // however large they are

  void begin() { ++lists_; }
  void end() { --lists_; }
  // So large one has turned out to be.
  void note(size_t bytes) { mean_bytes_ = (7 * mean_bytes_ + bytes) / 8; }
  // One more would be too many.
  bool full() const { return lists_ >= lists_min && lists_ * mean_bytes_ > bytes_max; }

 private:
  size_t lists_ = 0;
  size_t mean_bytes_ = 0;
};

enum class Sheddable : uint8_t {
  list,   // a range of keys
  point,  // one key: to refuse it costs about as much as to answer it
  watch,  // one more
};

// For how long the request has waited, if it is to be refused for that, and counts it; otherwise
// zero.
Duration shed(Services& services, const proxy::ServerStream& stream, Sheddable what, TurnLag& lag);
// The same of a list that would be one too many of its burst.
Duration shed_late_in(const ListBurst& burst, Services& services);
// The same of a read whose answer is there, as part of a burst of which none was when they came: if
// it would join answers that its client does not take, for how long that is asked to wait.
Duration shed_answer(Services& services, const proxy::ServerStream& stream);
// With RetryInfo: what waits now is served in about as much time as this one has waited.
proxy::GrpcStatus overload_status(Duration waited);

// Calls of one kind, of which each knows what they measure together.
template <class CallType, class Shared = TurnLag>
proxy::CallFactory sheddable_factory_of(Services& services) {
  return [&services, shared = std::make_shared<Shared>()](
             proxy::ServerStream& stream) -> std::unique_ptr<proxy::Call> {
    return std::make_unique<CallType>(services, stream, *shared);
  };
}

}  // namespace lattice::etcd
