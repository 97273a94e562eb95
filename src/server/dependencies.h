// The services that this process depends on, each with its circuit breaker, and what metrics and
// the log tell of them.
// Thread: the owner's loop's. Ownership: the telemetry outlives it and all who share in it.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/dependency.h"
#include "config/config.h"
#include "server/shared_telemetry.h"

namespace lattice::server {

// Null: not configured.
struct Dependencies {
  SharedDependency postgresql;
  SharedDependency redis;
  SharedDependency control_plane;
  std::map<std::string, SharedDependency> backends;  // of [backends], by "postgresql/<name>"

  static Dependencies of(const config::Config& config, SharedTelemetry& telemetry);

  // Those of the store of one of [backends].
  Dependencies of_backend(const std::string& name) const;

  // visit(name, dependency, which may be null), in the order above.
  template <class Visit>
  void for_each(Visit visit) const {
    visit("postgresql", postgresql.get());
    visit("redis", redis.get());
    visit("control_plane", control_plane.get());
    for (const auto& [name, dependency] : backends) visit(name, dependency.get());
  }
};

// What no event tells to the metrics.
void report_latencies(const Dependencies& dependencies, SharedTelemetry& telemetry);

}  // namespace lattice::server
