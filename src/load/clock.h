// The one clock of the load generator: CLOCK_MONOTONIC in nanoseconds. Time stamps travel inside
// the values that are put, so that a watch event tells how old it is.
#pragma once

#include <cstdint>
#include <ctime>

namespace lattice::load {

inline uint64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

}  // namespace lattice::load
