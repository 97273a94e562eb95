#include "telemetry/server_metrics.h"

#include <chrono>
#include <string>

namespace lattice::telemetry {
namespace {

constexpr double commit_seconds_first = 0.0005;  // as etcd's fsync buckets, one step finer
constexpr size_t commit_bounds = 15;
constexpr double shared_turn_seconds_first = 0.00005;
constexpr size_t shared_turn_bounds = 12;
constexpr double fence_seconds_first = 0.0001;

}  // namespace

AppendMetrics::AppendMetrics(Registry& r)
    : wal_fsync_seconds(r.histogram("etcd_disk_wal_fsync_duration_seconds",
                                    "Time of one durable append to the log.",
                                    exponential_bounds(commit_seconds_first, 2, commit_bounds))),
      backend_commit_seconds(
          r.histogram("etcd_disk_backend_commit_duration_seconds",
                      "Time of one durable append to the log, likewise.",
                      exponential_bounds(commit_seconds_first, 2, commit_bounds))),
      batch_operations(r.histogram("lattice_log_batch_operations", "Operations in one batch.",
                                   exponential_bounds(1, 2, 13))),
      batch_records(r.histogram("lattice_log_batch_records", "Records in one batch.",
                                exponential_bounds(1, 2, 13))),
      fence_seconds(r.histogram(
          "lattice_read_fence_duration_seconds",
          "Time that linearizable reads waited for their fence. Those that need not are not in it.",
          exponential_bounds(fence_seconds_first, 2, commit_bounds))),
      appends_unknown(r.counter("lattice_log_appends_unknown_total",
                                "Appends whose outcome had to be found out.")),
      appends_rejected(r.counter("lattice_log_appends_rejected_total",
                                 "Appends that another writer's batch forestalled.")) {}

ServerMetrics::ServerMetrics(Registry& r)
    : has_leader(r.gauge("etcd_server_has_leader", "1 while this server knows a leader.")),
      is_leader(r.gauge("etcd_server_is_leader", "1 while this server leads.")),
      leader_changes_seen(
          r.counter("etcd_server_leader_changes_seen_total", "Leader changes seen.")),
      can_linearize(r.gauge("lattice_lin_bound_can_linearize",
                            "1 while linearizable answers may be given (LIN-BOUND).")),
      proposals_committed(
          r.gauge("etcd_server_proposals_committed_total", "Batches committed to the log.")),
      proposals_applied(
          r.gauge("etcd_server_proposals_applied_total", "Batches applied to memory.")),
      proposals_pending(
          r.gauge("etcd_server_proposals_pending", "Operations waiting for their batch.")),
      proposals_failed(
          r.counter("etcd_server_proposals_failed_total", "Operations whose append failed.")),
      appends(r),
      backend_up(r.gauge("lattice_backend_up", "1 while the database answers.")),
      fanout_up(r.gauge("lattice_fanout_up",
                        "1 while Redis, if it is configured, carries events between nodes.")),
      puts(r.counter("etcd_mvcc_put_total", "Puts that this server evaluated or read in the log.")),
      deletes(r.counter("etcd_mvcc_delete_total", "Deletions, likewise.")),
      txns(r.counter("etcd_mvcc_txn_total",
                     "Requests that were more than one put, range or deletion.")),
      ranges(r.counter("etcd_mvcc_range_total", "Ranges that this server evaluated.")),
      keys(r.gauge("etcd_debugging_mvcc_keys_total", "Keys.")),
      cache_bytes(r.gauge("lattice_cache_bytes",
                          "Memory that the loaded tenants' keys, values and history take.")),
      current_revision(
          r.gauge("etcd_debugging_mvcc_current_revision", "Current revision of the store.")),
      kv_revision(r.gauge("lattice_kv_revision", "Current revision of the store.")),
      compact_revision(
          r.gauge("etcd_debugging_mvcc_compact_revision", "Last compaction's revision.")),
      db_size_bytes(r.gauge("etcd_mvcc_db_total_size_in_bytes", "Size of the stored log.")),
      db_size_in_use_bytes(r.gauge("etcd_mvcc_db_total_size_in_use_in_bytes",
                                   "Part of the stored log's size that is in use.")),
      quota_bytes(r.gauge("etcd_server_quota_backend_bytes",
                          "The default tenant's storage quota; negative: there is none.")),
      watch_streams(r.gauge("etcd_debugging_mvcc_watch_stream_total", "Watch streams.")),
      watch_active_streams(r.gauge("lattice_watch_active_streams", "Watch streams.")),
      watchers(r.gauge("etcd_debugging_mvcc_watcher_total", "Watchers.")),
      slow_watchers(r.gauge("etcd_debugging_mvcc_slow_watcher_total",
                            "Watchers that have not caught up with the store.")),
      watch_lag(r.gauge("lattice_watch_lag_revisions",
                        "Revisions that the watch which is furthest behind has not been given.")),
      watch_events(r.counter("etcd_debugging_mvcc_events_total", "Events sent to watchers.")),
      active_leases(r.gauge("lattice_lease_active_leases", "Leases that are alive.")),
      leases_granted(r.counter("etcd_debugging_lease_granted_total", "Leases granted.")),
      leases_revoked(r.counter("etcd_debugging_lease_revoked_total", "Leases revoked.")),
      leases_expired(r.counter("etcd_debugging_server_lease_expired_total", "Leases expired.")),
      client_bytes_received(r.counter("etcd_network_client_grpc_received_bytes_total",
                                      "Bytes received from gRPC clients.")),
      client_bytes_sent(
          r.counter("etcd_network_client_grpc_sent_bytes_total", "Bytes sent to gRPC clients.")),
      connections(r.gauge("lattice_connections", "Open client connections.")),
      goaways(r.counters("lattice_http2_goaway_sent_total", "Connections that were told to go.",
                         {"reason"}, 32)),
      connection_failures(r.counters("lattice_connection_failures_total",
                                     "Connections that ended before their first request.",
                                     {"reason"}, 32)),
      slow_requests(r.counter("lattice_slow_requests_total",
                              "Requests that took longer than the slow-request threshold.")),
      slow_applies(r.counter("etcd_server_slow_apply_total",
                             "Requests that took longer than the slow-request threshold.")),
      shared_turn_seconds(
          r.histogram("lattice_loop_shared_turn_seconds",
                      "Time that a turn of a loop took for the work of tenants who all want it.",
                      exponential_bounds(shared_turn_seconds_first, 2, shared_turn_bounds))) {}

ReloadMetrics::ReloadMetrics(Registry& r)
    : successful_(r.gauge("lattice_config_last_reload_successful",
                          "1 unless the last SIGHUP found a configuration that is refused.")),
      time_(r.gauge("lattice_config_last_reload_success_timestamp_seconds",
                    "When the configuration in force was read, in seconds since 1970.")) {
  on_reload(true);
}

void ReloadMetrics::on_reload(bool successful) {
  successful_.set(successful ? 1 : 0);
  if (!successful) return;
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  time_.set(now.count());
}

void add_version_metrics(Registry& registry, std::string_view lattice_version,
                         std::string_view etcd_version) {
  registry
      .gauges("etcd_server_version", "The etcd version that this server speaks.",
              {"server_version"})
      .with({etcd_version})
      .set(1);
  const size_t minor_end = etcd_version.find('.', etcd_version.find('.') + 1);
  registry
      .gauges("etcd_cluster_version", "The etcd cluster version that this server speaks.",
              {"cluster_version"})
      .with({etcd_version.substr(0, minor_end)})
      .set(1);
  registry.gauges("lattice_build_info", "The version of this build.", {"version"})
      .with({lattice_version})
      .set(1);
}

}  // namespace lattice::telemetry
