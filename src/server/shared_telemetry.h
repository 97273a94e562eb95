// Counters of the whole process, and its log. Thread: any. Ownership: outlives what counts.
#pragma once

#include <atomic>
#include <memory>

#include "config/config.h"
#include "control/freshness.h"
#include "telemetry/audit_log.h"
#include "telemetry/grpc_metrics.h"
#include "telemetry/logger.h"
#include "telemetry/server_metrics.h"
#include "telemetry/tenant_metrics.h"

namespace lattice::server {

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
};

}  // namespace lattice::server
