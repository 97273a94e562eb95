// Compaction in place (log-protocol H1, docs/decisions/0002): a `compact` record; a sweep that
// drops superseded versions from memory in bounded steps; their deletion from the log; a
// `compact_done` record with the survivors' hash; and the trimming of headers that nobody needs.
//
// Thread: the replica's loop.
// Changes: the keyspace, by compact_step, when nothing is staged.
// Invariants: a crash at any step leaves a log that loads to the same state. Only the leader
//   deletes; a follower sweeps its memory when it has seen that the leader is done, and compares
//   the hash (50).
#pragma once

#include <memory>
#include <vector>

#include "replica/lifetime.h"
#include "replica/state.h"
#include "replica/write_queue.h"

namespace lattice::replica {

class Compactor {
 public:
  // `on_failed` hears of survivors that are not those of the replica that compacted.
  Compactor(State& state, WriteQueue& writes, StatusCallback on_failed)
      : state_(state), writes_(writes), on_failed_(std::move(on_failed)) {}

  void compact(Revision revision, Sender sender, Callback<Revision> done);
  // For whoever asked for a physical compaction, of this replica or of its leader: passes a failure
  // on at once, and a success when what the compaction supersedes is gone here and in the log,
  // however long that takes and whoever leads meanwhile.
  Callback<Revision> when_finished(Revision revision, Callback<Revision> done);

  // The log was read: sweeps what is still superseded and checks the hash of a finished compaction.
  // Errors: backend_corrupt.
  Status verify_loaded();
  // More of the log may have been applied, or leadership has changed.
  void wake(bool leading);
  void on_stepped_down();
  // Nothing is waited for any more: answers with `status`, now and from now on.
  void close(const Status& status);
  // The state was thrown away, to be read again.
  void reset();
  // Steps are waiting for moments when nothing is staged.
  bool sweeping() const;
  // Nothing is staged at this moment.
  void before_batch() {
    if (sweeping()) step();
  }

 private:
  struct Waiter {
    Revision revision;
    Callback<Revision> done;
  };
  void begin_sweep();
  void forget_dropped();
  void step();
  Status end_sweep(uint32_t hash);
  void arm();
  void tick();
  void remove_next();
  void announce();
  void on_announced();
  bool finished(Revision revision) const;
  void tell_finished();

  State& state_;
  WriteQueue& writes_;
  StatusCallback on_failed_;
  Lifetime lifetime_;
  bool leading_ = false;
  Revision sweep_{-1};  // being swept at, or swept at when swept_
  bool swept_ = true;
  uint32_t hash_ = 0;
  std::vector<keyspace::RecordId> dropped_;  // to be deleted from the log, from next_ on
  size_t next_ = 0;
  uint64_t forgotten_ = 0;  // how many lists of them there were before
  bool removing_ = false;
  bool announcing_ = false;
  std::vector<Waiter> waiters_;  // physical compactions
  Status closed_;
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<Timer> retry_timer_;
};

}  // namespace lattice::replica
