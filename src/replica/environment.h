// What a replica needs from the world besides its log: the time, timers and random bytes.
// Production gives it an event loop (src/server), the simulator a seeded fake. The replica asks for
// nothing else, so that one seed replays a run exactly. Thread: the replica's loop.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "absl/functional/any_invocable.h"
#include "base/time.h"
#include "replica/turns.h"

namespace lattice::replica {

// Destroying it cancels; the callback then never runs.
class Timer {
 public:
  virtual ~Timer() = default;
};

class Environment {
 public:
  virtual ~Environment() = default;
  // Read when it is called: fences and the wait for a dead leader rest on it (log-protocol L3, L5).
  virtual Instant now() const = 0;
  [[nodiscard]] virtual std::unique_ptr<Timer> after(Duration delay,
                                                     absl::AnyInvocable<void()> callback) = 0;
  // Runs once this turn of the loop has handled what arrived: what one turn brings forms one batch.
  virtual void defer(absl::AnyInvocable<void()> callback) = 0;
  // What part of the loop's time such a weight has just now; 1: nobody else wants any.
  virtual double share_of(int64_t weight) const {
    (void)weight;
    return 1;
  }
  // A place for work that is done in pieces where others want the loop, too.
  [[nodiscard]] virtual std::unique_ptr<Turns> turns(Turns::Work work);
  // So much of the loop's time went into what did not wait for a turn, and counts as if it had.
  virtual void charge(Duration took) { (void)took; }
  virtual void random_bytes(std::span<uint8_t> out) = 0;
};

}  // namespace lattice::replica
