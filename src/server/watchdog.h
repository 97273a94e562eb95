// Gives signs of life for as long as every loop of the process turns, so that a service manager can
// restart it when one hangs. A loop has turned when a task that was posted to it has run; a sign
// follows once all have, and what does not turn holds up the next one.
//
// Thread: construction and destruction while no loop runs; otherwise the first loop's.
// Ownership: the loops outlive it.
#pragma once

#include <memory>
#include <vector>

#include "loop/loop.h"

namespace lattice::server {

class Worker;

class Watchdog {
 public:
  // Requires: at least one loop. The first round begins when that runs, the others `pause` after
  // the end of the one before.
  Watchdog(std::vector<loop::Loop*> loops, Duration pause, loop::Task sign_of_life);

 private:
  void begin_round();
  void on_turned();

  const std::vector<loop::Loop*> loops_;
  const Duration pause_;
  loop::Task sign_of_life_;
  size_t awaited_ = 0;  // loops that have yet to turn in this round
  std::unique_ptr<loop::TimerHandle> timer_;
};

// Over the loops of all workers, as the environment asks for; null where it does not.
std::unique_ptr<Watchdog> watch_for_service_manager(
    const std::vector<std::unique_ptr<Worker>>& workers);

}  // namespace lattice::server
