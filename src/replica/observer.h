// What a replica tells whoever counts: plain numbers, no metrics library behind them. Every method
// has an empty default, so that an observer names only what it wants. Thread: called on the
// replica's loop; implementations return quickly and call nothing back.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.h"
#include "base/status.h"
#include "base/time.h"
#include "keyspace/requests.h"

namespace lattice::replica {

class Observer {
 public:
  virtual ~Observer() = default;

  // ---- Start ----
  struct LoadProgress {
    uint64_t batches = 0;
    uint64_t records = 0;
    Revision revision;  // the newest one read, shown yet or not
    Duration elapsed{};
    bool done = false;
  };
  // Once a second while the log is read at the start, and once when all of it was.
  virtual void on_load(const LoadProgress&) {}

  // ---- Batches ----
  struct Append {
    size_t operations = 0;
    size_t records = 0;
    Duration latency{};  // from the first submission to a known outcome
  };
  virtual void on_append_committed(const Append&) {}
  virtual void on_append_rejected() {}
  // One submission had an unknown outcome and is resolved.
  virtual void on_append_unknown(const Status&) {}
  virtual void on_pending(size_t /*waiting*/) {}
  virtual void on_proposal_failed() {}
  struct Applied {
    Revision revision;
    // Of a batch that was read, not evaluated here.
    size_t puts = 0;
    size_t deletes = 0;
    size_t keys = 0;
  };
  virtual void on_applied(const Applied&) {}
  // What was evaluated since the last call: after each batch, and when Replica is asked to report.
  virtual void on_operations(const keyspace::OperationCounts&) {}

  // A linearizable read had to wait for its fence, so long; most need not.
  virtual void on_read_fenced(Duration /*waited*/) {}

  // ---- Leadership ----
  virtual void on_leader_change(bool /*this_replica_leads*/, bool /*somebody_leads*/) {}
  // The log is not the one that this replica has read: nothing is served any more.
  virtual void on_failed(const Status&) {}

  // The database has lost what was acknowledged, or may have: the revision jumps to `base`, and all
  // below counts as compacted (H3).
  virtual void on_history_lost(Revision /*acknowledged*/, Revision /*base*/) {}

  // A branch that is seldom taken was taken; the simulator checks that each one is, some time.
  virtual void on_rare(std::string_view /*branch*/) {}

  // A record of an alarm was applied, also while the log is read; `type` is etcd's AlarmType.
  virtual void on_alarm(bool /*raised*/, uint64_t /*member_id*/, int32_t /*type*/) {}

  // ---- Leases, watches, compaction ----
  virtual void on_leases(size_t /*active*/, size_t /*granted*/, size_t /*revoked*/,
                         size_t /*expired*/) {}
  struct Watches {
    size_t streams = 0;
    size_t watchers = 0;
    size_t slow = 0;  // not at the head of the history
  };
  virtual void on_watches(const Watches&) {}
  virtual void on_watch_events(size_t /*events*/) {}
  virtual void on_compacted(Revision) {}
};

}  // namespace lattice::replica
