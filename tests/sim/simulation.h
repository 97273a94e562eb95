// One run: a cluster, clients, faults, then peace; then the judgement. The seed decides everything.
// Thread: one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/planted.h"
#include "sim/probes.h"

namespace lattice::sim {

struct SimOptions {
  uint64_t seed = 1;
  Planted bug = Planted::none;
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

// The first seed that finds a planted bug, and what it says; seed 0 is long_lease.h,
// lost_history.h or guarded.h. nullopt if nothing does.
struct Found {
  uint64_t seed = 0;
  std::string check;
};
std::optional<Found> hunt(Planted bug, uint64_t seeds);

// Those that 2,000 seeds must hit, each one.
const std::vector<std::string_view>& expected_probes();

}  // namespace lattice::sim
