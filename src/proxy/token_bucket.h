// How often a peer may misbehave: a burst, refilled at a steady rate.
// Thread: one.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace lattice::proxy {

class TokenBucket {
 public:
  TokenBucket(double burst, double per_second)
      : burst_(burst), per_second_(per_second), tokens_(burst) {}

  // Takes one token; false when there is none.
  bool take(Instant now) {
    if (now > filled_at_) {
      const double seconds = static_cast<double>((now - filled_at_).count()) / 1e9;
      tokens_ = std::min(burst_, tokens_ + seconds * per_second_);
      filled_at_ = now;
    }
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double burst_;
  double per_second_;
  double tokens_;
  Instant filled_at_{};
};

}  // namespace lattice::proxy
