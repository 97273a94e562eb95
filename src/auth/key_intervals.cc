#include "auth/key_intervals.h"

#include <algorithm>

namespace lattice::auth {
namespace {

constexpr std::string_view open_end("\0", 1);

}  // namespace

void KeyIntervals::add(std::string_view key, std::string_view end) {
  Interval interval{std::string(key), std::nullopt};
  if (end.empty()) {
    interval.end = std::string(key) + '\0';
  } else if (end != open_end) {
    interval.end = std::string(end);
  }
  intervals_.push_back(std::move(interval));
}

bool KeyIntervals::reaches(const Interval& interval, std::string_view key) {
  return !interval.end || *interval.end >= key;
}

void KeyIntervals::settle() {
  std::ranges::sort(intervals_, {}, &Interval::begin);
  std::vector<Interval> joined;
  for (Interval& next : intervals_) {
    if (joined.empty() || !reaches(joined.back(), next.begin)) {
      joined.push_back(std::move(next));
    } else if (Interval& last = joined.back(); last.end) {
      if (!next.end || *next.end > *last.end) last.end = std::move(next.end);
    }
  }
  intervals_ = std::move(joined);
}

bool KeyIntervals::cover(std::string_view key, std::string_view end) const {
  const auto above = std::ranges::upper_bound(intervals_, key, {}, &Interval::begin);
  if (above == intervals_.begin()) return false;
  const Interval& interval = *std::prev(above);
  if (!interval.end) return true;
  if (end == open_end) return false;
  // One that ends before it begins asks for nothing; etcd looks at its begin.
  if (end.empty() || end <= key) return key < *interval.end;
  return end <= *interval.end;
}

}  // namespace lattice::auth
