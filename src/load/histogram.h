// Latencies in logarithmic buckets of 128 steps per octave: any percentile within 0.8 %, at the
// cost of one increment per sample. Thread: owned by one thread.
#pragma once

#include <cstdint>
#include <vector>

namespace lattice::load {

class Histogram {
 public:
  Histogram();

  void record(uint64_t value);
  void clear();

  uint64_t count() const { return count_; }
  // Samples that do not exceed the value, as exactly as the buckets tell.
  uint64_t count_up_to(uint64_t value) const;
  uint64_t max() const { return max_; }
  double mean() const;
  // The value that `fraction` (0..1) of the samples do not exceed; 0 without samples.
  uint64_t percentile(double fraction) const;

 private:
  static constexpr int step_bits = 7;
  static constexpr uint64_t steps = uint64_t{1} << step_bits;

  static uint32_t bucket_of(uint64_t value);
  static uint64_t upper_bound_of(uint32_t bucket);

  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace lattice::load
