// What monitoring sees of the services that this process depends on.
// Thread: any. Ownership: references into the Registry, which must outlive it.
#pragma once

#include <string_view>

#include "telemetry/metrics.h"

namespace lattice::telemetry {

struct DependencyMetrics {
  explicit DependencyMetrics(Registry& registry);

  // Of the three series of the dependency exactly one is 1.
  void set_state(std::string_view dependency, std::string_view state);

  Family<Gauge>& breaker_state;     // by dependency and state
  Family<Counter>& breaker_opened;  // by dependency
  Family<Gauge>& latency_seconds;   // likewise
};

}  // namespace lattice::telemetry
