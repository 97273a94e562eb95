// Compacts by itself, as etcd's --auto-compaction-mode and --auto-compaction-retention say:
// `periodic` keeps the history of one period, `revision` a number of revisions. Thread: the
// replica's loop. Active at the leader only.
#pragma once

#include <deque>
#include <memory>

#include "replica/compactor.h"
#include "replica/state.h"

namespace lattice::replica {

class AutoCompactor {
 public:
  AutoCompactor(State& state, Compactor& compactor) : state_(state), compactor_(compactor) {}

  void on_leading();
  void on_stepped_down() { timer_.reset(); }

 private:
  // Between two looks at the revision.
  Duration interval() const;
  void arm();
  void tick();
  // What to compact at now; 0: nothing.
  Revision due();
  Revision due_by_period();

  State& state_;
  Compactor& compactor_;
  Lifetime lifetime_;
  std::deque<Revision> samples_;  // oldest first, one per interval
  Instant last_;                  // of the newest compaction, or the start
  Revision compacted_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace lattice::replica
