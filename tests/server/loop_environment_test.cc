// The time that a replica sees.
#include "server/loop_environment.h"

#include <doctest/doctest.h>

#include <chrono>

namespace lattice::server {

// A fence that is checked late in a long turn, or after the process was paused in the middle of
// one, must not hold on the time when the turn began (log-protocol L5).
TEST_CASE("a replica's time goes on within a turn of the loop") {
  loop::Loop loop;
  LoopEnvironment environment(loop);
  Duration passed{};
  loop.defer([&] {
    const Instant began = environment.now();
    const Instant limit = loop.fresh_now() + std::chrono::milliseconds(5);
    while (loop.fresh_now() < limit) {
    }
    passed = environment.now() - began;
  });
  loop.turn();
  CHECK(passed >= std::chrono::milliseconds(5));
}

}  // namespace lattice::server
