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

enum class Sheddable : uint8_t {
  list,   // a range of keys
  point,  // one key: to refuse it costs about as much as to answer it
  watch,  // one more
};

// For how long the request has waited, if it is to be refused for that, and counts it; otherwise
// zero.
Duration shed(Services& services, const proxy::ServerStream& stream, Sheddable what, TurnLag& lag);
// With RetryInfo: what waits now is served in about as much time as this one has waited.
proxy::GrpcStatus overload_status(Duration waited);

// Calls of one kind, whose lag they measure together.
template <class CallType>
proxy::CallFactory sheddable_factory_of(Services& services) {
  return [&services, lag = std::make_shared<TurnLag>()](
             proxy::ServerStream& stream) -> std::unique_ptr<proxy::Call> {
    return std::make_unique<CallType>(services, stream, *lag);
  };
}

}  // namespace lattice::etcd
