// Time as a plain value. Nothing here reads a clock: the pure core is told the time, and only
// src/loop asks the operating system (CLOCK_BOOTTIME, which also counts while the machine sleeps,
// so that a suspended machine does not revive leases).
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace lattice {

using Duration = std::chrono::nanoseconds;

// A point on this process's boot-time clock. Never compared across machines (DESIGN section 1).
struct Instant {
  int64_t nanoseconds = 0;

  constexpr auto operator<=>(const Instant&) const = default;
  constexpr Instant operator+(Duration d) const { return {nanoseconds + d.count()}; }
  constexpr Instant operator-(Duration d) const { return {nanoseconds - d.count()}; }
  constexpr Duration operator-(Instant other) const {
    return Duration(nanoseconds - other.nanoseconds);
  }
  static constexpr Instant never() { return {INT64_MAX}; }
};

}  // namespace lattice
