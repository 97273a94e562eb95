// What watches are still to be given of what has become visible: a round that is under way, of
// versions that are cut into runs which one response can hold, with a cursor over the watches that
// want something of the current run; and what is gathered for the next round. It can rest behind
// any watch and go on in a later turn of the loop.
//
// Thread: the replica's loop.
// Ownership: holds the versions, so that a compaction does not take them away before they are
//   shown; keyspace and index outlive it.
// Invariants: each watch that was in the index when a run was looked up comes up once for it; runs
//   are in the order of their revisions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "keyspace/watch_index.h"
#include "replica/watch_events.h"
#include "replica/watch_matches.h"

namespace lattice::replica {

class WatchRound {
 public:
  WatchRound(const keyspace::Keyspace& keyspace, const keyspace::WatchIndex& index)
      : keyspace_(keyspace), index_(index) {}

  // Takes what is visible behind `delivered`, and was not taken before, for the next round.
  void gather(Revision delivered);
  bool waits() const { return !coming_.empty(); }
  // Too much has gathered to be held here.
  bool overfull() const;
  // Begins with what was gathered. A run ends behind the revision that fills `run_bytes_max`.
  // Requires: not active.
  void begin(size_t run_bytes_max);
  bool active() const { return active_; }
  // Up to which revision the round brings those that get everything.
  Revision last() const { return last_; }
  void end();
  // Ends it, and forgets what was gathered.
  void drop();

  // The next watch that may want something of run(). Each costs one of the `steps`, and so does
  // what it takes to find them. None: the steps are used up, or, with some left, all is done.
  std::optional<keyspace::WatcherToken> next(size_t* steps);
  // What the watch that came last wants of the run: ascending indexes into run().
  const std::vector<uint32_t>& pick(const WatchCreate& spec, Revision from);
  std::span<const keyspace::KvRef> run() const { return run_; }
  // Requires: `picked` is not empty.
  const SharedEvents& events(const std::vector<uint32_t>& picked, bool prev_kv) {
    return run_.size() == 1 ? lists_->get_only(prev_kv) : lists_->get(picked, prev_kv);
  }

 private:
  // Finds who wants the next run, as far as the steps go.
  bool look_up(size_t* steps);
  void start_run();

  const keyspace::Keyspace& keyspace_;
  const keyspace::WatchIndex& index_;
  bool active_ = false;
  Revision last_;
  std::vector<keyspace::KvRef> coming_;
  size_t coming_bytes_ = 0;
  Revision gathered_;
  size_t run_bytes_max_ = 0;
  std::vector<keyspace::KvRef> versions_;
  std::span<const keyspace::KvRef> rest_;  // behind the run
  std::span<const keyspace::KvRef> run_;
  std::optional<EventLists> lists_;  // of the run
  size_t looked_up_ = 0;             // versions of the run
  // Who wants it: of a run of one version just these, of others what the matches say.
  std::vector<keyspace::WatcherToken> tokens_;
  WatchMatches matches_;
  size_t count_ = 0;
  size_t cursor_ = 0;
  std::vector<uint32_t> picked_;
};

}  // namespace lattice::replica
