#include "telemetry/control_metrics.h"

namespace lattice::telemetry {

ControlMetrics::ControlMetrics(Registry& r)
    : cache_state(r.gauges("lattice_cp_cache_state",
                           "1 for the state that the control-plane cache is in. Always Fresh in "
                           "mode standalone.",
                           {"state"}, 4)),
      up(r.gauge("lattice_cp_up", "1 while a member of the control plane answers.")),
      documents(r.gauges("lattice_cp_documents", "Documents of the control plane in force.",
                         {"kind"}, 4)),
      documents_refused(r.gauge("lattice_cp_documents_refused",
                                "Documents whose newest version is refused; the last good one, if "
                                "there was one, is in force.")),
      disconnects(r.counter("lattice_cp_disconnects_total",
                            "Connections to the control plane that ended.")),
      refused_answers(r.counter("lattice_cp_refused_answers_total",
                                "Answers of another control plane than before, or of an older "
                                "state of it.")) {}

void ControlMetrics::set_state(std::string_view state) {
  for (const std::string_view each : {"Fresh", "Cached", "Stale", "Expired"}) {
    cache_state.with({each}).set(each == state ? 1 : 0);
  }
}

}  // namespace lattice::telemetry
