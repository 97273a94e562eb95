#include "base/circuit_breaker.h"

#include <algorithm>

namespace lattice {

bool CircuitBreaker::try_begin(Instant now) {
  if (state_ == State::open && now >= retry_at_) {
    state_ = State::half_open;
    return true;
  }
  return state_ == State::closed;
}

Duration CircuitBreaker::refuses_for(Instant now) const {
  switch (state_) {
    case State::closed:
      return {};
    case State::open:
      return std::max(Duration{}, retry_at_ - now);
    case State::half_open:
      break;
  }
  return options_.pause_min;  // until it is known what has come of the attempt
}

void CircuitBreaker::on_failure(Instant began, Instant now, double fraction) {
  const bool recovered = succeeded_at_ && now - *succeeded_at_ >= options_.stable_min;
  succeeded_at_.reset();
  if (recovered && closed()) {
    failures_ = 0;
    pauses_ = 0;
    failing_since_.reset();
  }
  if (!failing_since_) failing_since_ = began;
  ++failures_;
  const bool repeated =
      failures_ >= options_.failures_min && now - *failing_since_ >= options_.failing_min;
  const bool silent = now - began >= options_.failing_min;
  // What has opened once and was not good for a while since is given no new chances.
  if (closed() && pauses_ == 0 && !repeated && !silent) return;
  state_ = State::open;
  const Duration whole = std::min<Duration>(
      options_.pause_max, options_.pause_min * (int64_t{1} << std::min(pauses_, 20)));
  ++pauses_;
  const double part = 0.5 + fraction / 2;
  retry_at_ = now + Duration(static_cast<int64_t>(part * static_cast<double>(whole.count())));
}

void CircuitBreaker::on_success(Instant now) {
  state_ = State::closed;
  if (!succeeded_at_) succeeded_at_ = now;
}

std::string_view name_of(CircuitBreaker::State state) {
  switch (state) {
    case CircuitBreaker::State::closed:
      return "closed";
    case CircuitBreaker::State::open:
      return "open";
    case CircuitBreaker::State::half_open:
      return "half_open";
  }
  return {};
}

}  // namespace lattice
