#include "control/freshness.h"

namespace lattice::control {

void Freshness::prove(Instant asked_at) {
  if (known_ && !inherited_ && asked_at <= proved_at_) return;
  proved_at_ = asked_at;
  known_ = true;
  inherited_ = false;
}

void Freshness::inherit(Instant asked_at) {
  if (known_) return;
  proved_at_ = asked_at;
  known_ = true;
  inherited_ = true;
}

CacheState Freshness::state(Instant now) const {
  // A clock that has gone back says nothing about the age.
  if (!known_ || now < proved_at_) return CacheState::expired;
  const Duration old = age(now);
  if (old <= ttl_ / 2 && !inherited_) return CacheState::fresh;
  if (old <= ttl_) return CacheState::cached;
  return old <= ttl_ + grace_ ? CacheState::stale : CacheState::expired;
}

Instant Freshness::next_change(Instant now) const {
  constexpr Duration step(1);
  switch (state(now)) {
    case CacheState::fresh:
      return proved_at_ + ttl_ / 2 + step;
    case CacheState::cached:
      return proved_at_ + ttl_ + step;
    case CacheState::stale:
      return proved_at_ + ttl_ + grace_ + step;
    case CacheState::expired:
      break;
  }
  return Instant::never();
}

}  // namespace lattice::control
