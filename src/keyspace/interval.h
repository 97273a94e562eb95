// etcd's way to write an interval of keys, decoded once (etcd-v3.md 1.2).
// Thread: values. Ownership: views into the KeyRange it was made from.
#pragma once

#include <string_view>

#include "keyspace/requests.h"

namespace lattice::keyspace {

struct Interval {
  std::string_view begin;
  std::string_view end;   // meaningless for a single key or an open end
  bool single = false;    // exactly `begin`
  bool open_end = false;  // everything from `begin` upward

  explicit Interval(const KeyRange& range)
      : begin(range.key),
        end(range.end),
        single(range.end.empty()),
        open_end(range.end == std::string_view("\0", 1)) {}

  // Whether a key at or behind `begin` lies in front of the end.
  bool before_end(std::string_view key) const {
    if (single) return key == begin;
    return open_end || key < end;
  }
  bool contains(std::string_view key) const { return key >= begin && before_end(key); }
};

}  // namespace lattice::keyspace
