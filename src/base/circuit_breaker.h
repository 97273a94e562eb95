// Whether a service that this process depends on is worth asking.
//
//   closed     it is asked as ever; who fails tries again at its own pace
//   open       it has failed repeatedly: nobody tries until a pause is over, and what needs it is
//              refused at once
//   half-open  the pause is over: one attempt is under way, which decides
//
// Each pause is up to twice as long as the one before, with jitter. It is the back-off of whoever
// connects, once that no longer is a matter of moments, and not another one on top of it.
//
// Thread: one owner. Pure: the time and chance come from outside.
// Invariants: between two pauses one attempt begins, however many ask.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time.h"

namespace lattice {

class CircuitBreaker {
 public:
  enum class State : uint8_t { closed, open, half_open };
  struct Options {
    // It opens when so many attempts in a row have failed, and none has succeeded for so long; or
    // when one alone has got no answer for as long.
    int failures_min = 3;
    Duration failing_min = std::chrono::seconds(3);
    Duration pause_min = std::chrono::milliseconds(200);
    Duration pause_max = std::chrono::seconds(1);
    // A success that did not last for so long was none: the pauses go on growing.
    Duration stable_min = std::chrono::seconds(1);
  };
  explicit CircuitBreaker(const Options& options) : options_(options) {}

  State state() const { return state_; }
  bool closed() const { return state_ == State::closed; }
  // Whether an attempt may begin now. While it is open and the pause is over, the first one that
  // asks is the one that decides.
  bool try_begin(Instant now);
  // For how long try_begin() will refuse, as far as that is known.
  Duration refuses_for(Instant now) const;
  // What began at that moment has failed. `fraction`: a random number from 0 to 1.
  void on_failure(Instant began, Instant now, double fraction);
  void on_success(Instant now);

 private:
  const Options options_;
  State state_ = State::closed;
  int failures_ = 0;  // in a row
  int pauses_ = 0;    // likewise
  std::optional<Instant> failing_since_;
  std::optional<Instant> succeeded_at_;  // and nothing has failed since
  Instant retry_at_;                     // while it is open
};

// "closed", "open", "half_open".
std::string_view name_of(CircuitBreaker::State state);

}  // namespace lattice
