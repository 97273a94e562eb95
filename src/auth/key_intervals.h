// The keys that a user may read, or write: the union of what the user's roles grant.
// Thread: one; a value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lattice::auth {

class KeyIntervals {
 public:
  // As permissions and requests are written: an empty end is the one key, "\0" is open.
  void add(std::string_view key, std::string_view end);
  // Joins what overlaps or touches. Call once, after the last add().
  void settle();
  // Whether the union covers the whole request. Requires: settle().
  bool cover(std::string_view key, std::string_view end) const;

 private:
  struct Interval {
    std::string begin;
    std::optional<std::string> end;  // none: open
  };
  static bool reaches(const Interval& interval, std::string_view key);

  std::vector<Interval> intervals_;  // settled: disjoint, ascending
};

}  // namespace lattice::auth
