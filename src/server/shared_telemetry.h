// Counters of the whole process, and its log. Thread: any. Ownership: outlives what counts.
#pragma once

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
};

}  // namespace lattice::server
