#include "sim/long_lease.h"

#include <chrono>

#include "sim/cluster.h"

namespace lattice::sim {
namespace {

using std::chrono::seconds;

// Recorded with what is left of it every 300 seconds.
constexpr int64_t ttl = 900;
const LeaseId lease(7);

class Bench {
 public:
  Bench() {
    node_.faults() = {0, 0, 0, 0, 0, 0, false};
    node_.start();
    world_.run_for(seconds(1));
    node_.replica()->lease_grant(lease, ttl, [](const auto&) {});
  }
  void run_for(int64_t time) { world_.run_for(seconds(time)); }
  // Another process leads, within a second.
  void change_leader() {
    node_.crash();
    node_.start();
    run_for(1);
  }
  void renew() {
    node_.replica()->lease_keep_alive(lease, [](const auto&) {});
    run_for(1);
  }
  bool exists() {
    bool found = false;
    node_.replica()->lease_time_to_live(
        lease, false, [&found](const auto& result) { found = result.ok() && result->found; });
    run_for(1);
    return found;
  }

 private:
  SimWorld world_{1};
  SimDatabase database_{world_};
  Probes probes_;
  Node node_{world_, database_, probes_, true, {}};
};

std::string without_renewal() {
  Bench bench;
  bench.run_for(650);
  bench.change_leader();
  bench.run_for(240);
  if (!bench.exists()) return "E39: a long lease expired early";
  // What the log knows of its time is 300 seconds old at most.
  bench.run_for(310);
  return bench.exists() ? "E40: a change of leaders gave a lease its full time again" : "";
}

std::string with_renewal() {
  Bench bench;
  bench.run_for(650);
  bench.renew();
  bench.change_leader();
  bench.run_for(890);
  if (!bench.exists()) return "E39: a lease that was renewed went back to its checkpoint";
  bench.run_for(20);
  return bench.exists() ? "E40: a long lease outlived its time" : "";
}

}  // namespace

std::string long_lease_problem() {
  std::string problem = without_renewal();
  return problem.empty() ? with_renewal() : problem;
}

}  // namespace lattice::sim
