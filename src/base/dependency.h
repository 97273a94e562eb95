// What is known of one service that this process depends on: its circuit breaker, what went wrong
// last, how long it takes to answer. Whoever talks to it reports here; metrics and /status read it.
//
// Thread: one owner. Pure, as the breaker is. Ownership: shared by those who report.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/circuit_breaker.h"
#include "base/status.h"

namespace lattice {

class Dependency {
 public:
  using State = CircuitBreaker::State;

  // `on_change`: the breaker has another state; may be empty.
  Dependency(const CircuitBreaker::Options& options,
             std::function<void(const Dependency&)> on_change)
      : breaker_(options), on_change_(std::move(on_change)) {}

  // As CircuitBreaker has them.
  bool try_begin(Instant now);
  void failed(Status why, Instant began, Instant now, double fraction);
  void succeeded(Instant now);
  // An answer took so long.
  void answered(Duration took) { latency_ = latency_ ? *latency_ + (took - *latency_) / 8 : took; }

  const CircuitBreaker& breaker() const { return breaker_; }
  State state() const { return breaker_.state(); }
  bool closed() const { return breaker_.closed(); }
  // Since something has failed last; it may well work again. Ok: nothing ever has.
  const Status& last_error() const { return last_error_; }
  Instant failed_at() const { return failed_at_; }
  // Of late, smoothed; nullopt: it never answered.
  std::optional<Duration> latency() const { return latency_; }

 private:
  void tell_if_changed(State before);

  CircuitBreaker breaker_;
  const std::function<void(const Dependency&)> on_change_;
  Status last_error_;
  Instant failed_at_;
  std::optional<Duration> latency_;
};

using SharedDependency = std::shared_ptr<Dependency>;

}  // namespace lattice
