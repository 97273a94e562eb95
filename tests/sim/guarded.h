// Three replicas with users, roles and API tokens: what one of them has acknowledged, all judge by.
// Thread: one.
#pragma once

#include <string>

namespace lattice::sim {

// What went wrong; empty: nothing.
std::string guarded_problem();

}  // namespace lattice::sim
