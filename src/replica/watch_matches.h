// Which of a run of versions each watch wants, gathered version by version. A thousand watches of
// one busy key cost one entry each for the whole run, not one for each version. Thread: one; the
// owner's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "keyspace/watch_index.h"

namespace lattice::replica {

class WatchMatches {
 public:
  // Versions `first` up to, not including, `end` of the run.
  struct Stretch {
    uint32_t first = 0;
    uint32_t end = 0;
    bool operator==(const Stretch&) const = default;
  };
  using Stretches = absl::InlinedVector<Stretch, 2>;
  struct Match {
    keyspace::WatcherToken token = 0;
    Stretches stretches;  // ascending
  };

  // The watches `tokens` want the next version of the run.
  void add(const std::vector<keyspace::WatcherToken>& tokens);
  // Call after the last add.
  void finish();
  // Requires: finish() was called. Order: as the watches first matched.
  std::span<const Match> found() const { return matches_; }

 private:
  void close_stretch();

  std::vector<keyspace::WatcherToken> tokens_;  // of the stretch that is open
  Stretch open_;
  std::vector<Match> matches_;
  absl::flat_hash_map<keyspace::WatcherToken, size_t> places_;
};

}  // namespace lattice::replica
