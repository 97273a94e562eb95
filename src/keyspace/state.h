// What a keyspace consists of, for the files that implement it: the index by key, the history by
// revision, the keys of each lease, and what is staged. One place pushes and pops versions, so that
// the four never disagree.
// Thread: the keyspace's.
#pragma once

#include <vector>

#include "keyspace/history.h"
#include "keyspace/key_index.h"
#include "keyspace/keyspace.h"
#include "keyspace/leased_keys.h"

namespace lattice::keyspace {

struct State {
  KeyIndex index;
  History history;
  LeasedKeys leased;
  // In order; each is its key's newest until the next. Not in `history` yet.
  std::vector<KvRef> staged;

  Revision visible{1};
  Revision staged_revision{1};
  Revision compact{-1};
  int64_t live_visible = 0;  // keys alive at `visible`
  int64_t live_staged = 0;   // what committing the staged versions adds to that
  size_t version_bytes = 0;
  size_t stored_bytes = 0;         // of the same versions, as records of the log
  mutable OperationCounts counts;  // reads are counted, too

  // The version that a read of `key` at `revision` finds; null if the key is not alive there.
  const KvRecord* live_at(std::string_view key, Revision revision) const;
  // The same for a key that was looked for before: `place` is what KeyIndex::locate() found.
  const KvRecord* live_at(std::string_view key, Revision revision, const KeyHistory* place) const;

  // Makes `version` its key's newest. `of_key` is the key's history, null if it has none yet.
  void push(KeyHistory* of_key, KvRef version);
  // Undoes the newest push of a version that is still its key's newest.
  void pop_newest(const KvRecord& version);
  // Drops a key's oldest version.
  void pop_oldest(const KvRecord& version);
};

// What runs while it lives runs together, for OperationCounts.
class CountedTxn {
 public:
  explicit CountedTxn(const State& state) : counts_(state.counts), before_(operations()) {}
  CountedTxn(const CountedTxn&) = delete;
  CountedTxn& operator=(const CountedTxn&) = delete;
  ~CountedTxn() {
    if (operations() - before_ > 1) ++counts_.txns;
  }

 private:
  uint64_t operations() const { return counts_.puts + counts_.deletes + counts_.ranges; }
  OperationCounts& counts_;
  const uint64_t before_;
};

// What a version's record takes in the log, by its canonical bytes (docs/log-format.md).
inline size_t stored_size(const KvRecord& version) {
  constexpr size_t record_overhead_bytes = 53;
  return record_overhead_bytes + version.key().size() + version.value().size();
}

// Whether a version changes how many keys are alive: +1 for a creation, -1 for a tombstone.
inline int live_delta(const KvRecord& version) {
  if (version.tombstone()) return -1;
  return version.version() == 1 ? 1 : 0;
}

// The version as a read at `revision` sees it in this history; null if the key is not alive there.
inline const KvRecord* live_in(const KeyHistory& history, Revision revision) {
  const KvRecord* version = history.at(revision);
  return version == nullptr || version->tombstone() ? nullptr : version;
}

}  // namespace lattice::keyspace
