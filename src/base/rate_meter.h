// How much of a rate was used: a token bucket as one number, the time at which what was taken will
// have been earned again (the "generic cell rate algorithm"). Debts are possible: what is only
// known afterwards is charged afterwards, and whoever comes next waits for it.
//
// Thread: any; one atomic. Two that ask at the same moment may both be let in.
// Ownership: a value without references. The rate comes with each call, so that it can change.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/time.h"

namespace lattice {

struct Rate {
  int64_t per_second = 0;  // 0: no limit
  int64_t burst = 0;       // 0: one second's worth

  bool limited() const { return per_second > 0; }
  Duration time_for(int64_t amount) const {
    // A year is as good as never, and sums of it do not overflow.
    constexpr double longest = 365.0 * 86'400 * 1e9;
    return Duration(static_cast<int64_t>(
        std::min(longest, static_cast<double>(amount) * 1e9 / static_cast<double>(per_second))));
  }
  Duration burst_time() const { return time_for(burst > 0 ? burst : per_second); }
};

class RateMeter {
 public:
  // How long until `amount` more is within the rate and its burst. What is larger than the burst
  // waits for a full one. Requires: rate.limited().
  Duration wait_for(const Rate& rate, int64_t amount, Instant now) const {
    const Duration room = std::max(Duration{}, rate.burst_time() - rate.time_for(amount));
    return std::max(Duration{}, earned() - now - room);
  }
  // Takes `amount`, whether there is room or not. Requires: rate.limited().
  void charge(const Rate& rate, int64_t amount, Instant now) {
    const int64_t cost = rate.time_for(amount).count();
    int64_t before = earned_at_.load(std::memory_order_relaxed);
    int64_t after;
    do {
      after = std::max(before, now.nanoseconds) + cost;
    } while (!earned_at_.compare_exchange_weak(before, after, std::memory_order_relaxed));
  }
  // How much could be taken now without waiting. Requires: rate.limited().
  int64_t remaining(const Rate& rate, Instant now) const {
    const Duration room = rate.burst_time() - std::max(Duration{}, earned() - now);
    if (room <= Duration{}) return 0;
    return static_cast<int64_t>(static_cast<double>(room.count()) *
                                static_cast<double>(rate.per_second) / 1e9);
  }

 private:
  Instant earned() const { return {earned_at_.load(std::memory_order_relaxed)}; }

  std::atomic<int64_t> earned_at_{0};
};

}  // namespace lattice
