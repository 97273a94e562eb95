// A compaction under way, and the hashes of those that have ended (etcd-v3.md 1.6 and 1.9).
//
// The sweep goes through the history in revision order. So the hash that etcd would compute comes
// for free, the dropped records of a key are reported oldest first (a log that deletes them in this
// order can stop anywhere and still be loaded: no put ever outlives the tombstone that ended it),
// and old batches empty from the front.
// Thread: the keyspace's.
#pragma once

#include <optional>
#include <vector>

#include "keyspace/hash.h"
#include "keyspace/state.h"

namespace lattice::keyspace {

class Compaction {
 public:
  void start(State* state, Revision revision, bool log_whole);
  // Looks at up to `versions_max` versions. Without a compaction under way: done at once, with the
  // last one's hash.
  Keyspace::CompactStep step(State* state, size_t versions_max, std::vector<RecordId>* dropped);
  // The hash kept from a compaction at `revision`, if it is one of the ten newest.
  std::optional<HashResult> kept_hash(Revision revision) const;

 private:
  void keep_hash(Revision revision);

  Revision previous_{-1};
  bool log_whole_ = true;  // so before_ has seen all that HashKV would have
  // What HashKV answers before the compaction drops anything, and once it has.
  HashWalk before_{Revision(-1), Revision(0), HashWalk::Kind::compaction};
  HashWalk survivors_ = before_;
  uint32_t last_hash_ = 0;
  std::vector<HashResult> kept_;
};

}  // namespace lattice::keyspace
