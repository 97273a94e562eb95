#include "server/watchdog.h"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

namespace lattice::server {
namespace {

using std::chrono::milliseconds;

constexpr Duration pause = milliseconds(2);

// Turns the loops by hand until `done` holds; false when it does not come to that.
bool turn_until(std::initializer_list<loop::Loop*> loops, auto done) {
  for (int i = 0; i < 2000 && !done(); ++i) {
    for (loop::Loop* each : loops) each->turn();
    if (!done()) std::this_thread::sleep_for(milliseconds(1));
  }
  return done();
}

TEST_CASE("There are signs of life for as long as all loops turn") {
  loop::Loop first;
  loop::Loop second;
  int signs = 0;
  Watchdog watchdog({&first, &second}, pause, [&signs] { ++signs; });
  CHECK(turn_until({&first, &second}, [&signs] { return signs == 3; }));
}

TEST_CASE("A loop that does not turn holds up the next sign, whichever it is") {
  loop::Loop first;
  loop::Loop second;
  int signs = 0;
  Watchdog watchdog({&first, &second}, pause, [&signs] { ++signs; });
  REQUIRE(turn_until({&first, &second}, [&signs] { return signs == 1; }));
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
    first.turn();
  }
  CHECK(signs == 1);
  // The round goes on where it was.
  CHECK(turn_until({&first, &second}, [&signs] { return signs == 2; }));
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
    second.turn();
  }
  CHECK(signs == 2);
}

}  // namespace
}  // namespace lattice::server
