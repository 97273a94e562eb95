// GET /status: what this process is, what it depends on and how that does, which limits are in
// force; on the metrics port also who its nodes are, and each tenant's revision and lag.
// Thread: the owner's loop, which is the first worker's.
// Ownership: what it refers to outlives it; `tenants` and `control_plane` may be null.
#pragma once

#include <string>

#include "absl/functional/any_invocable.h"
#include "config/config.h"
#include "server/control_plane.h"
#include "server/databases.h"
#include "server/dependencies.h"

namespace lattice::server {

struct StatusReport {
  const config::Config& config;
  const TenantLimits& limits;  // those in force of tenants that have none of their own
  const Dependencies& dependencies;
  const ControlPlane* control_plane = nullptr;  // null in mode standalone
  Databases* tenants = nullptr;                 // null while the process starts
  bool stopping = false;
  Duration uptime{};
  Instant now;

  // Calls back here, now or later. `whole`: with nodes and tenants.
  void write(bool whole, absl::AnyInvocable<void(std::string)> done) const;
};

}  // namespace lattice::server
