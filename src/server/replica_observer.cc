#include "server/replica_observer.h"

#include <utility>

#include "replica/api.h"

namespace lattice::server {

ReplicaObserver::ReplicaObserver(std::string tenant, bool is_default, SharedTelemetry& shared)
    : tenant_(std::move(tenant)),
      is_default_(is_default),
      routine_(is_default ? telemetry::Level::info : telemetry::Level::debug),
      series_(shared.tenants.of(tenant_)),
      metrics_(shared.server),
      log_(shared.log) {
  if (series_.loaded != nullptr) series_.loaded->set(1);
}

ReplicaObserver::~ReplicaObserver() {
  if (series_.loaded != nullptr) series_.loaded->set(0);
  on_size(0, 0);
}

void ReplicaObserver::on_load(const LoadProgress& progress) {
  log_.log(progress.done ? routine_ : telemetry::Level::info,
           progress.done ? "log loaded" : "loading the log",
           {{"batches", progress.batches},
            {"records", progress.records},
            {"revision", progress.revision},
            {"elapsed_s", progress.elapsed},
            {"tenant", tenant_}});
  loaded_ = progress.done;
}

void ReplicaObserver::on_append_committed(const Append& append) {
  metrics_.proposals_committed.add(1);
  metrics_.appends.wal_fsync_seconds.observe(append.latency);
  metrics_.appends.backend_commit_seconds.observe(append.latency);
  metrics_.appends.batch_operations.observe(static_cast<double>(append.operations));
  metrics_.appends.batch_records.observe(static_cast<double>(append.records));
}

void ReplicaObserver::on_append_rejected() {
  metrics_.appends.appends_rejected.add();
  log_.debug("append rejected: another batch is there", {{"tenant", tenant_}});
}

void ReplicaObserver::on_append_unknown(const Status& status) {
  metrics_.appends.appends_unknown.add();
  log_.warn("append with unknown outcome, submitting it again",
            {{"cause", status}, {"tenant", tenant_}});
}

void ReplicaObserver::on_alarm(bool raised, uint64_t member_id, int32_t type) {
  if (!loaded_) return;  // old news
  const auto name = type == replica::alarm_no_space  ? "NOSPACE"
                    : type == replica::alarm_corrupt ? "CORRUPT"
                                                     : "unknown";
  if (!raised) {
    return log_.info("alarm cleared",
                     {{"alarm", name}, {"member", member_id}, {"tenant", tenant_}});
  }
  log_.error(type == replica::alarm_no_space
                 ? "alarm raised: the storage quota is used up; compact, then clear the alarm"
                 : "alarm raised",
             {{"alarm", name}, {"member", member_id}, {"tenant", tenant_}});
}

void ReplicaObserver::on_pending(size_t waiting) {
  if (is_default_) metrics_.proposals_pending.set(static_cast<double>(waiting));
}

void ReplicaObserver::on_proposal_failed() { metrics_.proposals_failed.add(); }

void ReplicaObserver::on_applied(const Applied& applied) {
  auto revision = static_cast<double>(applied.revision.value);
  if (is_default_) metrics_.proposals_applied.add(1);
  // What was there before this start does not count again.
  if (loaded_) {
    metrics_.puts.add(applied.puts);
    metrics_.deletes.add(applied.deletes);
  }
  if (series_.keys != nullptr) {
    series_.keys->set(static_cast<double>(applied.keys));
    series_.revision->set(revision);
  }
  if (!is_default_) return;
  metrics_.keys.set(static_cast<double>(applied.keys));
  metrics_.current_revision.set(revision);
  metrics_.kv_revision.set(revision);
}

void ReplicaObserver::on_operations(const keyspace::OperationCounts& counts) {
  metrics_.puts.add(counts.puts);
  metrics_.deletes.add(counts.deletes);
  metrics_.ranges.add(counts.ranges);
  metrics_.txns.add(counts.txns);
}

void ReplicaObserver::on_leader_change(bool this_replica_leads, bool somebody_leads) {
  if (is_default_) {
    metrics_.has_leader.set(somebody_leads ? 1 : 0);
    metrics_.is_leader.set(this_replica_leads ? 1 : 0);
    metrics_.can_linearize.set(somebody_leads ? 1 : 0);
    if (somebody_leads) metrics_.leader_changes_seen.add();
  }
  if (this_replica_leads != led_) {
    log_.log(routine_, this_replica_leads ? "leading" : "leading no longer", {{"tenant", tenant_}});
  }
  led_ = this_replica_leads;
  if (somebody_leads && on_role_) on_role_(this_replica_leads);
}

void ReplicaObserver::on_history_lost(Revision acknowledged, Revision base) {
  log_.error(
      "THE DATABASE HAS LOST ACKNOWLEDGED WRITES, or may have: it is another server than before, "
      "or "
      "no longer holds what this process has shown. Revisions go on from a new base, everything "
      "below is compacted, and all watches end so that clients list again",
      {{"acknowledged_revision", acknowledged.value}, {"base", base.value}, {"tenant", tenant_}});
}

void ReplicaObserver::on_failed(const Status& status) {
  if (is_default_) metrics_.can_linearize.set(0);
  log_.error("the log is not what it was; nothing is served any more",
             {{"cause", status}, {"tenant", tenant_}});
  if (on_unusable_) on_unusable_(status);
}

void ReplicaObserver::on_leases(size_t active, size_t granted, size_t revoked, size_t expired) {
  leases_ = active;
  if (series_.leases != nullptr) series_.leases->set(static_cast<double>(active));
  if (is_default_) metrics_.active_leases.set(static_cast<double>(active));
  metrics_.leases_granted.add(granted);
  metrics_.leases_revoked.add(revoked);
  metrics_.leases_expired.add(expired);
}

void ReplicaObserver::on_watches(const Watches& watches) {
  if (series_.watchers != nullptr) {
    series_.watchers->set(static_cast<double>(watches.watchers));
  }
  if (!is_default_) return;
  metrics_.watch_streams.set(static_cast<double>(watches.streams));
  metrics_.watch_active_streams.set(static_cast<double>(watches.streams));
  metrics_.watchers.set(static_cast<double>(watches.watchers));
  metrics_.slow_watchers.set(static_cast<double>(watches.slow));
}

void ReplicaObserver::on_watch_events(size_t events) { metrics_.watch_events.add(events); }

void ReplicaObserver::on_quota(int64_t bytes, int64_t used) {
  if (series_.quota_bytes != nullptr) {
    series_.quota_bytes->set(static_cast<double>(bytes));
    series_.quota_bytes_used->set(static_cast<double>(used));
  }
  if (is_default_) metrics_.quota_bytes.set(static_cast<double>(bytes));
}

void ReplicaObserver::on_read_fenced(Duration waited) {
  metrics_.appends.fence_seconds.observe(waited);
}

void ReplicaObserver::on_size(size_t memory_bytes, int64_t watch_lag) {
  const auto bytes = static_cast<double>(memory_bytes);
  metrics_.cache_bytes.add(bytes - std::exchange(memory_bytes_, bytes));
  if (series_.cache_bytes != nullptr) {
    series_.cache_bytes->set(bytes);
    series_.watch_lag->set(static_cast<double>(watch_lag));
  }
  if (is_default_) metrics_.watch_lag.set(static_cast<double>(watch_lag));
}

void ReplicaObserver::on_compacted(Revision revision) {
  if (is_default_) metrics_.compact_revision.set(static_cast<double>(revision.value));
  log_.info("compacted", {{"revision", revision}, {"tenant", tenant_}});
}

}  // namespace lattice::server
