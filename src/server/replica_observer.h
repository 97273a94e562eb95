// What a tenant's replica reports, as metrics and as log lines. etcd's names are the process's:
// counters add up over its tenants, gauges are the default tenant's; each tenant's own numbers have
// names of their own (telemetry/tenant_metrics.h).
// Thread: the replica's loop.
#pragma once

#include "absl/functional/any_invocable.h"
#include "etcd/gate.h"
#include "replica/observer.h"
#include "server/shared_telemetry.h"

namespace lattice::server {

class ReplicaObserver final : public replica::Observer {
 public:
  // `is_default`: the tenant is the default one.
  ReplicaObserver(std::string tenant, bool is_default, SharedTelemetry& shared);
  ~ReplicaObserver() override;

  // Called when the log was read and it is known who leads, or that the log cannot be served. Runs
  // inside the replica's callback: defer what calls the replica.
  void on_role(absl::AnyInvocable<void(bool leads)> callback) { on_role_ = std::move(callback); }
  void on_unusable(absl::AnyInvocable<void(Status)> callback) {
    on_unusable_ = std::move(callback);
  }

  void on_load(const LoadProgress& progress) override;
  void on_append_committed(const Append& append) override;
  void on_append_rejected() override;
  void on_append_unknown(const Status& status) override;
  void on_pending(size_t waiting) override;
  void on_proposal_failed() override;
  void on_applied(const Applied& applied) override;
  void on_operations(const keyspace::OperationCounts& counts) override;
  void on_leader_change(bool this_replica_leads, bool somebody_leads) override;
  void on_alarm(bool raised, uint64_t member_id, int32_t type) override;
  void on_failed(const Status& status) override;
  void on_history_lost(Revision acknowledged, Revision base) override;
  void on_leases(size_t active, size_t granted, size_t revoked, size_t expired) override;
  void on_watches(const Watches& watches) override;
  void on_watch_events(size_t events) override;
  void on_compacted(Revision revision) override;

  void on_read_fenced(Duration waited) override;

  void on_quota(int64_t bytes, int64_t used);
  // What the replica holds in memory, and how far its watches are behind.
  void on_size(size_t memory_bytes, int64_t watch_lag);

  // Of the tenant, as far as is known here.
  size_t leases() const { return leases_; }
  telemetry::Counter* requests() const { return series_.requests; }
  etcd::GateMetrics gate_metrics() const {
    return {series_.allowed, series_.delayed, series_.rejected};
  }

 private:
  const std::string tenant_;
  const bool is_default_;
  const telemetry::Level routine_;  // of what a tenant's loading and unloading brings about
  const telemetry::TenantSeries series_;
  telemetry::ServerMetrics& metrics_;
  telemetry::Logger& log_;
  size_t leases_ = 0;
  double memory_bytes_ = 0;
  absl::AnyInvocable<void(bool)> on_role_;
  absl::AnyInvocable<void(Status)> on_unusable_;
  bool led_ = false;
  bool loaded_ = false;
};

}  // namespace lattice::server
