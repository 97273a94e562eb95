// A lease that lives for many checkpoints of its remaining time, and for more than one leader: too
// long for the runs of simulation.h. Nothing breaks but the leader's process.
// Thread: one.
#pragma once

#include <string>

namespace lattice::sim {

// What is wrong, in words; empty when nothing is.
std::string long_lease_problem();

}  // namespace lattice::sim
