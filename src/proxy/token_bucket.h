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

  void give(double tokens) { tokens_ = std::min(burst_, tokens_ + tokens); }

  // Takes tokens; false when there are not so many.
  bool take(Instant now, double wanted = 1) {
    if (now > filled_at_) {
      const double seconds = static_cast<double>((now - filled_at_).count()) / 1e9;
      tokens_ = std::min(burst_, tokens_ + seconds * per_second_);
      filled_at_ = now;
    }
    if (tokens_ < wanted) return false;
    tokens_ -= wanted;
    return true;
  }

 private:
  double burst_;
  double per_second_;
  double tokens_;
  Instant filled_at_{};
};

}  // namespace lattice::proxy
