// What monitoring sees of the control plane.
// Thread: any. Ownership: references into the Registry, which must outlive it.
#pragma once

#include "telemetry/metrics.h"

namespace lattice::telemetry {

struct ControlMetrics {
  explicit ControlMetrics(Registry& registry);

  // Of the four series of lattice_cp_cache_state exactly one is 1.
  void set_state(std::string_view state);

  Family<Gauge>& cache_state;  // by state
  Gauge& up;
  Family<Gauge>& documents;  // in force, by kind
  Gauge& documents_refused;
  Counter& disconnects;
  Counter& refused_answers;
};

}  // namespace lattice::telemetry
