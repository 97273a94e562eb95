// How long work has taken of its thread's time. What the machine gave to others in the middle of it
// belongs on nobody's account: a connection that happened to be served while the loop was without
// the processor for 50 ms would wait until each of sixty others had been served for as long.
//
// The thread's own time costs a system call (0.25 us, against 35 ns for now()), so it is looked at
// twice a millisecond, and where work seems to have taken longer than that. What is too much in the
// answer then is less than half a millisecond.
//
// Thread: the loop's. Both clocks come from outside, so that tests have their own.
#pragma once

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "base/time.h"

namespace lattice::proxy {

class WorkClock {
 public:
  static constexpr Duration step = std::chrono::microseconds(500);

  // `thread_time`: how long the thread has had the processor.
  WorkClock(absl::AnyInvocable<Instant() const> now,
            absl::AnyInvocable<Duration() const> thread_time)
      : now_(std::move(now)), thread_time_(std::move(thread_time)) {}

  Instant now() const { return now_(); }
  // Work begins.
  Instant start() {
    const Instant now = now_();
    if (now - looked_at_ >= step) look(now);
    return now;
  }
  // And ends.
  Duration since(Instant start) {
    const Instant now = now_();
    const Duration passed = now - start;
    if (passed < step) return passed;
    const Duration before = thread_had_;
    look(now);
    return std::min(passed, thread_had_ - before);
  }

 private:
  void look(Instant now) {
    looked_at_ = now;
    thread_had_ = thread_time_();
  }

  absl::AnyInvocable<Instant() const> now_;
  absl::AnyInvocable<Duration() const> thread_time_;
  Instant looked_at_;
  Duration thread_had_{};
};

}  // namespace lattice::proxy
