// Cheap random numbers for batch ids, lease ids and jitter: xoshiro256** seeded from the
// environment's random bytes, and seeded again now and then so that ids of two processes never
// follow one another's. Thread: one; the owner's.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

#include "replica/batch.h"
#include "replica/environment.h"

namespace lattice::replica {

class Random {
 public:
  explicit Random(Environment& environment) : environment_(environment) { refill(); }

  uint64_t next() {
    if (++drawn_ > refill_after) refill();
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  BatchId batch_id() {
    BatchId id;
    const uint64_t words[2] = {next(), next()};
    std::memcpy(id.data(), words, sizeof(words));
    return id;
  }
  // A new life of this process: always from the environment, never from the generator.
  Incarnation incarnation() {
    Incarnation fresh;
    environment_.random_bytes(fresh);
    return fresh;
  }
  // Between 0 and `span`.
  Duration jitter(Duration span) {
    return span.count() <= 0 ? Duration{} : Duration(next() % static_cast<uint64_t>(span.count()));
  }

 private:
  static constexpr int refill_after = 4096;
  void refill() {
    environment_.random_bytes(std::span(reinterpret_cast<uint8_t*>(state_), sizeof(state_)));
    state_[0] |= 1;  // all zeroes would stay so
    drawn_ = 0;
  }

  Environment& environment_;
  uint64_t state_[4] = {};
  int drawn_ = 0;
};

}  // namespace lattice::replica
