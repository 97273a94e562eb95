#include "load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace lattice::load {

Histogram::Histogram() : buckets_(bucket_of(UINT64_MAX) + 1) {}

uint32_t Histogram::bucket_of(uint64_t value) {
  if (value < 2 * steps) return static_cast<uint32_t>(value);
  const int shift = std::bit_width(value) - 1 - step_bits;
  return static_cast<uint32_t>(steps * static_cast<uint64_t>(shift) + (value >> shift));
}

uint64_t Histogram::upper_bound_of(uint32_t bucket) {
  if (bucket < 2 * steps) return bucket;
  const uint64_t shift = bucket / steps - 1;
  const uint64_t step = bucket - shift * steps;
  return ((step + 1) << shift) - 1;
}

void Histogram::record(uint64_t value) {
  ++buckets_[bucket_of(value)];
  ++count_;
  max_ = std::max(max_, value);
  sum_ += static_cast<double>(value);
}

void Histogram::clear() {
  std::fill(buckets_.begin(), buckets_.end(), 0);
  count_ = 0;
  max_ = 0;
  sum_ = 0;
}

uint64_t Histogram::count_up_to(uint64_t value) const {
  uint64_t count = 0;
  for (uint32_t bucket = 0; bucket <= bucket_of(value); ++bucket) count += buckets_[bucket];
  return count;
}

double Histogram::mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

uint64_t Histogram::percentile(double fraction) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (uint32_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted && seen > 0) return std::min(upper_bound_of(bucket), max_);
  }
  return 0;
}

}  // namespace lattice::load
