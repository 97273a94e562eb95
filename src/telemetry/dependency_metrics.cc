#include "telemetry/dependency_metrics.h"

namespace lattice::telemetry {
namespace {

constexpr size_t dependencies_max = 16;  // PostgreSQL clusters above all

}  // namespace

DependencyMetrics::DependencyMetrics(Registry& r)
    : breaker_state(r.gauges("lattice_breaker_state",
                             "1 for the state that the dependency's circuit breaker is in.",
                             {"dependency", "state"}, 3 * dependencies_max)),
      breaker_opened(r.counters("lattice_breaker_opened_total",
                                "How often the dependency's circuit breaker was closed and opened.",
                                {"dependency"}, dependencies_max)),
      latency_seconds(r.gauges("lattice_dependency_latency_seconds",
                               "How long the dependency has taken to answer of late.",
                               {"dependency"}, dependencies_max)) {}

void DependencyMetrics::set_state(std::string_view dependency, std::string_view state) {
  for (const std::string_view each : {"closed", "open", "half_open"}) {
    breaker_state.with({dependency, each}).set(each == state ? 1 : 0);
  }
}

}  // namespace lattice::telemetry
