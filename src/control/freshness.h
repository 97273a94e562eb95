// How old the view of the control plane is. An age counts from the moment before the question whose
// answer proved that the view was current: a linearizable read, so that a member without a quorum
// proves nothing.
//
//   Fresh     age <= ttl / 2
//   Cached    age <= ttl
//   Stale     age <= ttl + grace      from here on LIN-BOUND is closed
//   Expired   older, or never proved
//
// Thread: one owner. Pure: the time is passed in, on CLOCK_BOOTTIME, which goes on while the
// machine sleeps.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/time.h"

namespace lattice::control {

enum class CacheState : uint8_t { fresh, cached, stale, expired };
inline constexpr std::array<CacheState, 4> cache_states = {CacheState::fresh, CacheState::cached,
                                                           CacheState::stale, CacheState::expired};
constexpr std::string_view name_of(CacheState state) {
  constexpr std::array<std::string_view, 4> names = {"Fresh", "Cached", "Stale", "Expired"};
  return names[static_cast<size_t>(state)];
}
// Whether LIN-BOUND may be open.
constexpr bool vouches(CacheState state) { return state <= CacheState::cached; }

class Freshness {
 public:
  Freshness(Duration ttl, Duration grace) : ttl_(ttl), grace_(grace) {}

  // The view was current at `asked_at`, as this process has heard itself.
  void prove(Instant asked_at);
  // Another process on the same clock had proved it, and left it on disk: good for Cached at most.
  void inherit(Instant asked_at);

  CacheState state(Instant now) const;
  bool known() const { return known_; }
  // Requires: known().
  Duration age(Instant now) const { return now - proved_at_; }
  Instant proved_at() const { return proved_at_; }
  // The next moment at which the state differs without another proof; never() if it is Expired.
  Instant next_change(Instant now) const;

 private:
  const Duration ttl_;
  const Duration grace_;
  Instant proved_at_;
  bool known_ = false;
  bool inherited_ = false;
};

}  // namespace lattice::control
