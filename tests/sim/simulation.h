// One run: a cluster, clients, faults, then peace; then the judgement. The seed decides everything.
// Thread: one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/probes.h"
#include "sim/sim_log.h"

namespace lattice::sim {

struct SimOptions {
  uint64_t seed = 1;
  Bug bug = Bug::none;
  bool verbose = false;  // prints each operation and fault
};

struct SimReport {
  std::vector<std::string> problems;
  uint64_t trace = 0;  // equal for two runs of a seed
  size_t operations = 0;
  size_t acknowledged = 0;
  size_t faults = 0;
  Probes probes;
};

SimReport simulate(const SimOptions& options);

// Those that 2,000 seeds must hit, each one.
const std::vector<std::string_view>& expected_probes();

}  // namespace lattice::sim
