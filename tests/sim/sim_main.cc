// sim: runs the deterministic simulation over many seeds.
//   sim --seeds 2000 --from 1        prints what fails, and how to replay it
//   sim --from 17 --seeds 1 --verbose
//   sim --bug look_trusted           plants that bug, to see it caught
//   sim --hunt --seeds 500           plants each bug, and prints which seed and check finds it
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <string>

#include "sim/simulation.h"

namespace {

void print(const lattice::sim::SimReport& report, uint64_t seed) {
  for (const std::string& problem : report.problems) {
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), problem.c_str());
  }
  std::printf("replay with: sim --from %llu --seeds 1 --verbose   (trace %016llx)\n",
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(report.trace));
}

int hunt_all(uint64_t seeds) {
  int missing = 0;
  for (const lattice::PlantedBug& bug : lattice::planted_bugs()) {
    const auto began = std::chrono::steady_clock::now();
    const auto found = lattice::sim::hunt(bug.bug, seeds);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    missing += !found;
    std::printf("%-4s %-28s %6llu  %5.1f s  %s\n", std::string(bug.rule).c_str(),
                std::string(bug.name).c_str(),
                static_cast<unsigned long long>(found ? found->seed : 0), took.count(),
                found ? found->check.c_str() : "not found");
    std::fflush(stdout);
  }
  return missing;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Deterministic simulation of replicas on a faulty database");
  uint64_t seeds = 100;
  uint64_t from = 1;
  bool verbose = false;
  bool check_probes = false;
  bool hunt = false;
  std::string bug;
  app.add_option("--seeds", seeds, "how many seeds to run");
  app.add_option("--from", from, "the first seed");
  app.add_flag("--verbose", verbose, "print operations and faults");
  app.add_flag("--check-probes", check_probes, "fail if an expected rare branch was never taken");
  app.add_option("--bug", bug, "plant the bug of this name, to see it caught");
  app.add_flag("--hunt", hunt, "plant each bug, until a seed finds it");
  CLI11_PARSE(app, argc, argv);
  if (hunt) return hunt_all(seeds);
  lattice::sim::SimOptions options;
  options.verbose = verbose;
  if (!bug.empty()) {
    const lattice::PlantedBug* found = lattice::find_planted(bug);
    if (found == nullptr) {
      std::printf("there is no bug of that name\n");
      return 2;
    }
    options.bug = found->bug;
  }

  const auto began = std::chrono::steady_clock::now();
  lattice::sim::Probes probes;
  size_t failed = 0;
  size_t operations = 0;
  size_t acknowledged = 0;
  size_t faults = 0;
  uint64_t trace = 0;
  for (uint64_t seed = from; seed < from + seeds; ++seed) {
    options.seed = seed;
    const auto report = lattice::sim::simulate(options);
    probes.add(report.probes);
    operations += report.operations;
    acknowledged += report.acknowledged;
    faults += report.faults;
    trace = trace * 31 + report.trace;
    if (report.problems.empty()) continue;
    print(report, seed);
    if (++failed >= 20) break;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf(
      "%llu seeds, %zu failed; %zu operations, %zu acknowledged, %zu faults; %.1f s; trace "
      "%016llx\n",
      static_cast<unsigned long long>(seeds), failed, operations, acknowledged, faults,
      took.count(), static_cast<unsigned long long>(trace));
  bool missing = false;
  if (verbose || check_probes) {
    for (const auto& [name, count] : probes.counts()) {
      std::printf("  %8llu  %s\n", static_cast<unsigned long long>(count), name.c_str());
    }
  }
  for (const std::string_view name : lattice::sim::expected_probes()) {
    if (!check_probes || probes.count(name) > 0) continue;
    std::printf("never taken: %s\n", std::string(name).c_str());
    missing = true;
  }
  return failed > 0 || missing ? 1 : 0;
}
