// The moments at which a process looks at what others do: all its replicas look in the same turn of
// the loop, so that the backend can ask the database once for all of them, and a thousand replicas
// need one timer. Processes have different phases.
//
// Thread: the replicas' loop.
// Ownership: outlives the timers that it gave; destroying one cancels it.
#pragma once

#include <map>
#include <memory>
#include <utility>

#include "replica/lifetime.h"
#include "replica/random.h"

namespace lattice::replica {

class PollClock {
 public:
  PollClock(Environment& environment, Duration interval)
      : environment_(environment),
        interval_(interval),
        origin_(environment.now() - Random(environment).jitter(interval)) {}

  // Calls back at the process's next look, half an interval from now at the earliest.
  [[nodiscard]] std::unique_ptr<Timer> at_next(absl::AnyInvocable<void()> callback);

 private:
  class Waiter;
  using Key = std::pair<Instant, uint64_t>;  // when, and in which order

  void arm();
  void tick();

  Environment& environment_;
  const Duration interval_;
  const Instant origin_;
  Lifetime lifetime_;
  std::map<Key, absl::AnyInvocable<void()>> waiting_;
  uint64_t next_ = 0;
  Instant armed_for_;
  std::unique_ptr<Timer> timer_;  // null: nobody waits
};

}  // namespace lattice::replica
