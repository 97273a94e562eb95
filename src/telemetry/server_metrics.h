// The server's own metrics, with the names that etcd's dashboards and our guide use. Where a name
// is etcd's, its meaning is etcd's too; what has no counterpart here is left out. Thread: any.
// Ownership: references into the Registry that it was made with, which must outlive it.
#pragma once

#include <string_view>

#include "telemetry/metrics.h"

namespace lattice::telemetry {

// Batches on their way to the log, and the reads that wait for its leader.
struct AppendMetrics {
  explicit AppendMetrics(Registry& registry);

  Histogram& wal_fsync_seconds;       // one durable append as the replica sees it
  Histogram& backend_commit_seconds;  // the same: one commit is both
  Histogram& batch_operations;
  Histogram& batch_records;
  Histogram& fence_seconds;
  Counter& appends_unknown;
  Counter& appends_rejected;
};

struct ServerMetrics {
  explicit ServerMetrics(Registry& registry);

  // Leadership. can_linearize is LIN-BOUND: 1 while linearizable answers may be given.
  Gauge& has_leader;
  Gauge& is_leader;
  Counter& leader_changes_seen;
  Gauge& can_linearize;

  // The log. A proposal is a batch handed to it.
  Gauge& proposals_committed;
  Gauge& proposals_applied;
  Gauge& proposals_pending;
  Counter& proposals_failed;
  AppendMetrics appends;
  Gauge& backend_up;
  Gauge& fanout_up;

  // The keyspace.
  Counter& puts;
  Counter& deletes;
  Counter& txns;
  Counter& ranges;
  Gauge& keys;
  Gauge& cache_bytes;  // of all tenants in memory
  Gauge& current_revision;
  Gauge& kv_revision;  // the guide's name for the same number
  Gauge& compact_revision;
  Gauge& db_size_bytes;
  Gauge& db_size_in_use_bytes;
  Gauge& quota_bytes;

  // Watches and leases.
  Gauge& watch_streams;
  Gauge& watch_active_streams;  // the guide's name for the same number
  Gauge& watchers;
  Gauge& slow_watchers;
  Gauge& watch_lag;
  Counter& watch_events;
  Gauge& active_leases;
  Counter& leases_granted;
  Counter& leases_revoked;
  Counter& leases_expired;

  // The wire.
  Counter& client_bytes_received;
  Counter& client_bytes_sent;
  Gauge& connections;
  Family<Counter>& goaways;              // by reason
  Family<Counter>& connection_failures;  // by reason
  Counter& slow_requests;
  Counter& slow_applies;  // etcd's name for the same number
  // As long waits who asks for something meanwhile.
  Histogram& shared_turn_seconds;
};

// The configuration that is in force.
class ReloadMetrics {
 public:
  explicit ReloadMetrics(Registry& registry);
  void on_reload(bool successful);

 private:
  Gauge& successful_;
  Gauge& time_;
};

// etcd_server_version, etcd_cluster_version ("3.6") and lattice_build_info, each a constant 1 with
// labels.
void add_version_metrics(Registry& registry, std::string_view lattice_version,
                         std::string_view etcd_version);

// process_*: memory, CPU, file descriptors and start time, read from /proc at each scrape.
void add_process_metrics(Registry& registry);

}  // namespace lattice::telemetry
