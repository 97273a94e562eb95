// Counters of the whole process, and its log. Thread: any. Ownership: outlives what counts.
#pragma once

#include <atomic>

#include "control/freshness.h"
#include "telemetry/grpc_metrics.h"
#include "telemetry/logger.h"
#include "telemetry/server_metrics.h"
#include "telemetry/tenant_metrics.h"

namespace lattice::server {

struct SharedTelemetry {
  explicit SharedTelemetry(telemetry::Logger& logger);
  telemetry::Logger& log;
  telemetry::Registry registry;
  telemetry::GrpcMetrics calls;
  telemetry::ServerMetrics server;
  telemetry::TenantMetrics tenants;
  // Of the control plane's cache, where there is one; ControlPlane sets it.
  std::atomic<control::CacheState> cache_state{control::CacheState::expired};
};

}  // namespace lattice::server
