// Counters of the whole process, and its log. Thread: any. Ownership: outlives what counts.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "base/snapshot.h"
#include "config/config.h"
#include "control/freshness.h"
#include "telemetry/audit_log.h"
#include "telemetry/grpc_metrics.h"
#include "telemetry/logger.h"
#include "telemetry/server_metrics.h"
#include "telemetry/tenant_metrics.h"

namespace lattice::server {

// What the control plane has said, as far as it is shown.
struct Governance {
  std::string manifest_digest;  // of all manifests in force, in hexadecimal digits
  int64_t routing_epoch = 0;    // of the default tenant
  std::optional<Instant> proved_at;
};

struct SharedTelemetry {
  explicit SharedTelemetry(telemetry::Logger& logger);
  // If it is on. Before anybody audits. Errors: io.
  Status open_audit(const config::Config& config);

  telemetry::Logger& log;
  telemetry::Registry registry;
  telemetry::GrpcMetrics calls;
  telemetry::ServerMetrics server;
  telemetry::ReloadMetrics reloads;
  telemetry::TenantMetrics tenants;
  std::unique_ptr<telemetry::AuditLog> audit;  // null: off
  // Of the control plane's cache, where there is one; ControlPlane sets it.
  std::atomic<control::CacheState> cache_state{control::CacheState::expired};
  Snapshot<Governance> governance{std::make_shared<Governance>()};  // likewise
  // Writes GET /status, with tenants and nodes or without; calls back on any loop. Set before any
  // loop runs.
  std::function<void(bool whole, absl::AnyInvocable<void(std::string)> done)> status;
};

}  // namespace lattice::server
