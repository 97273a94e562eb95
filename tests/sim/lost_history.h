// A database that loses what was acknowledged, and what three replicas make of it (log-protocol
// H3): not in the runs of simulation.h, whose clients are promised that nothing is lost. Thread:
// one.
#pragma once

#include <string>

namespace lattice::sim {

// What is wrong, in words; empty when nothing is.
std::string lost_history_problem();

}  // namespace lattice::sim
