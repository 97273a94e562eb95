// What a replica holds in memory: the log's records, materialised. The classes of this folder share
// one State; each names in its header what it changes.
//
// Thread: the replica's loop.
// Ownership: the Replica owns it; it refers to the options, environment, log and observer.
// Invariants: keyspace, leases, users and everything else here are the effect of exactly the
// batches up to
//   `applied` (plus, while an append is in flight, what is staged for it).
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "auth/store.h"
#include "base/tenant_limits.h"
#include "keyspace/keyspace.h"
#include "lease/lease_table.h"
#include "replica/api.h"
#include "replica/environment.h"
#include "replica/log.h"
#include "replica/minor_records.h"
#include "replica/observer.h"
#include "replica/options.h"
#include "replica/random.h"

namespace lattice::replica {

// What other loops may know without asking. Written by the replica's loop only.
struct Published {
  std::atomic<int64_t> revision{1};
  std::atomic<uint64_t> epoch{0};
  // Somebody leads, as far as this process knows, at times before this one (on the clock that all
  // loops of a process share). Leadership writes it.
  std::atomic<int64_t> led_until_ns{INT64_MIN};

  bool led_at(Instant now) const {
    return now.nanoseconds < led_until_ns.load(std::memory_order_acquire);
  }
};

// The newest compaction in the log (docs/decisions/0002).
struct CompactionState {
  Revision revision{-1};
  Seq seq;            // of the batch with the `compact` record
  bool done = true;   // its compact_done is in the log
  uint32_t hash = 0;  // when done
};

struct State {
  State(const Options& with, Environment& world, Log& its_log, Observer& watcher)
      : options(with), environment(world), log(its_log), observer(watcher), random(world) {}

  const Options& options;
  Environment& environment;
  Log& log;
  Observer& observer;
  Random random;

  SharedLimits limits = std::make_shared<TenantLimits>();  // those in force; never null
  keyspace::Keyspace keyspace;
  lease::LeaseTable leases;
  auth::Store auth;
  Position applied;
  Epoch epoch;  // of the newest takeover, and who appended it
  Incarnation leader{};
  // The newest jump: everything below this revision is another history (log-protocol H3).
  Revision history_base{0};
  CompactionState compaction;
  // Of the newest batch with a `compact` record that was read, applied or not. While it is newer
  // than compaction.seq, the log may lack what only the older compaction kept.
  Seq compact_read;
  bool log_whole = true;  // no batch since that compaction has lost records to it
  std::vector<Alarm> alarms;
  MinorRecords minor;
  std::shared_ptr<Published> published = std::make_shared<Published>();
  OperationTimes times;  // of the operation whose caller is being told

  // Takes over what a record of a batch means for everything but keys and which leases there are.
  void note(keyspace::RecordId id, const keyspace::Record& record);
  // Applies a batch that this replica did not stage: start-up, or another writer's.
  // Requires: nothing is staged. Errors: backend_corrupt.
  Status replay(const Log::LoadedBatch& batch);
  // A batch of this replica's own is durable: what was staged becomes visible.
  void commit(const Batch& batch);
  // Nothing of the staged batch has happened.
  void rollback();
  // Back to an empty state, to be loaded again.
  void reset();
  // Tells the observer what was evaluated since the last time.
  void report_operations() { observer.on_operations(keyspace.take_operation_counts()); }

 private:
  Status replay_record(keyspace::RecordId id, const keyspace::Record& record);
  void publish(size_t puts, size_t deletes);
};

}  // namespace lattice::replica
