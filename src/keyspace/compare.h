// The guards of a transaction (etcd-v3.md 1.5).
#pragma once

#include "keyspace/state.h"

namespace lattice::keyspace {

// Whether all compares hold at `revision`.
bool all_hold(const State& state, const std::vector<Compare>& compares, Revision revision);

}  // namespace lattice::keyspace
