#include "sim/simulation.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "sim/checker.h"
#include "sim/client.h"
#include "sim/cluster.h"
#include "sim/guarded.h"
#include "sim/long_lease.h"
#include "sim/lost_history.h"
#include "sim/watch_client.h"

namespace lattice::sim {
namespace {

constexpr int64_t millisecond = 1'000'000;
constexpr size_t faults_min = 8;
constexpr int64_t storm_max = 180'000 * millisecond;  // far more than any run needs
constexpr auto peace = std::chrono::seconds(14);      // the longest lease, a takeover, and some

class Simulation {
 public:
  explicit Simulation(const SimOptions& options);
  SimReport run();

 private:
  void log(const char* what, size_t node = 0) const {
    if (!options_.verbose) return;
    std::printf("%10.3f ms  %s %zu\n", static_cast<double>(world_.now()) / millisecond, what, node);
  }
  bool clients_finished() const;
  void strike_later();
  void strike();
  void restart_later(size_t node);
  void for_a_while(int64_t longest, absl::AnyInvocable<void()> end);
  void set_append_faults(int percent);
  void move_leader(size_t index);
  void name_leader(size_t index);
  void end_slowness(size_t index);
  void crash_leaders();
  void lose_primary();
  void make_peace();
  size_t leaders() const;
  void check_replicas();
  void print_history() const;

  const SimOptions options_;
  SimWorld world_;
  SimDatabase database_;
  Probes probes_;
  History history_;
  SimNetwork network_;
  bool exclusive_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<WatchClient>> watchers_;
  bool storm_ = true;
  SimReport report_;
};

Simulation::Simulation(const SimOptions& options)
    : options_(options),
      world_(options.seed),
      database_(world_),
      network_(world_, probes_),
      exclusive_(world_.rng().chance(25)) {
  const size_t nodes = exclusive_ ? 1 : 3;
  // Most clusters have all there is; some have no fan-out, some only the database.
  const uint64_t ties = exclusive_ ? 9 : world_.rng().below(10);
  for (size_t i = 0; i < nodes; ++i) {
    nodes_.push_back(std::make_unique<Node>(
        world_, database_, probes_, exclusive_,
        Node::Ties{ties < 9 ? &network_ : nullptr, ties < 7, "node " + std::to_string(i)}));
    if (options.verbose) nodes_.back()->be_verbose(i);
    world_.at(world_.rng().between(0, 300 * millisecond), [node = nodes_.back().get()] {
      if (!node->running()) node->start();
    });
  }
  const auto clients = static_cast<int>(world_.rng().between(4, 6));
  for (int i = 0; i < clients; ++i) {
    clients_.push_back(std::make_unique<Client>(i, world_, nodes_, history_));
    clients_.back()->start(static_cast<int>(world_.rng().between(50, 60)));
  }
  for (int i = 0; i < 3; ++i) {
    watchers_.push_back(std::make_unique<WatchClient>(world_, nodes_, history_, probes_));
    watchers_.back()->start();
  }
}

bool Simulation::clients_finished() const {
  for (const auto& client : clients_) {
    if (!client->finished()) return false;
  }
  return true;
}

SimReport Simulation::run() {
  strike_later();
  while (!(clients_finished() && report_.faults >= faults_min)) {
    if (!world_.step(storm_max) && world_.now() >= storm_max) break;
  }
  if (!clients_finished()) report_.problems.emplace_back("liveness: the clients never finished");
  make_peace();
  world_.run_for(peace);
  check_replicas();
  for (auto& watcher : watchers_) watcher->finish();
  if (options_.verbose) print_history();
  Checker checker(database_, history_, probes_);
  for (std::string& problem : checker.run()) report_.problems.push_back(std::move(problem));
  report_.operations = history_.ops.size();
  for (const Op& op : history_.ops) report_.acknowledged += op.outcome == Outcome::ok;
  report_.trace = world_.trace();
  report_.probes = probes_;
  return std::move(report_);
}

// ---- Faults ----

void Simulation::strike_later() {
  const int64_t pause = world_.rng().between(20 * millisecond, 1200 * millisecond);
  world_.at(pause, [this] {
    if (!storm_) return;
    strike();
    strike_later();
  });
}

void Simulation::restart_later(size_t index) {
  world_.at(world_.rng().between(30 * millisecond, 2500 * millisecond), [this, index] {
    if (!storm_) return;
    if (!nodes_[index]->running()) return nodes_[index]->start();
    if (nodes_[index]->stopping()) restart_later(index);
  });
}

void Simulation::for_a_while(int64_t longest, absl::AnyInvocable<void()> end) {
  world_.at(world_.rng().between(30 * millisecond, longest), std::move(end));
}

void Simulation::set_append_faults(int percent) {
  for (auto& node : nodes_) {
    Faults& faults = node->faults();
    faults.append_lost_before = faults.append_lost_after = faults.append_zombie = percent;
    faults.append_error = faults.call_error = percent;
  }
}

void Simulation::strike() {
  Rng& rng = world_.rng();
  const size_t index = rng.below(nodes_.size());
  Node& node = *nodes_[index];
  ++report_.faults;
  switch (rng.below(planted(Planted::wall_clock_deadlines) ? 14 : 13)) {
    case 0:
      if (!node.running()) return;
      log("crash", index);
      node.crash();
      return restart_later(index);
    case 1:
      if (!node.running() || node.process().paused()) return;
      log("pause", index);
      node.process().pause();
      return for_a_while(4000 * millisecond, [&node] { node.process().resume(); });
    case 2:
      log("partition", index);
      node.faults().unreachable = true;
      return for_a_while(4000 * millisecond, [&node] { node.faults().unreachable = false; });
    case 3:
      if (exclusive_) return;  // nobody to fail over to
      log("failover");
      if (database_.fail_over() > 0) probes_.hit("sim: a failover lost rows that were visible");
      return;
    case 4:
      log("append faults");
      set_append_faults(static_cast<int>(rng.between(10, 25)));
      return for_a_while(2000 * millisecond, [this] { set_append_faults(1); });
    case 5:
      log("full");
      database_.full = true;
      return for_a_while(800 * millisecond, [this] { database_.full = false; });
    case 6:
      if (!node.running() || node.stopping() || node.process().paused()) return;
      if (rng.chance(50)) {
        log("stop", index);
        node.stop();
      } else {
        log("unload", index);
        node.unload();
      }
      return restart_later(index);
    case 7:
      log("slow", index);
      node.faults().slow = 60;
      return for_a_while(2000 * millisecond, [this, index] { end_slowness(index); });
    case 8:
      log("bad network");
      network_.faults() = {20, 20, 30, 30, 40, 20};
      return for_a_while(2000 * millisecond, [this] { network_.faults() = {}; });
    case 9:
      log("cut off", index);
      network_.host(node.ties().address).cut_off = true;
      return for_a_while(4000 * millisecond,
                         [this, &node] { network_.host(node.ties().address).cut_off = false; });
    case 10:
      return move_leader(index);
    case 11:
      return lose_primary();
    case 12:
      log("crash in the middle of a deletion");
      database_.on_removal = [this] { world_.at(0, [this] { crash_leaders(); }); };
      return;
    default:
      log("clock jump", index);
      if (node.running()) node.environment().jump(std::chrono::hours(1));
  }
}

void Simulation::move_leader(size_t index) {
  Node& node = *nodes_[index];
  if (!node.running()) return;
  if (!node.replica()->leads()) return name_leader(index);
  log("move leader from", index);
  const std::string to = nodes_[world_.rng().below(nodes_.size())]->ties().address;
  node.replica()->move_leader(to, [this](const Status& status) {
    if (status.ok()) probes_.hit("sim: the leadership was moved");
  });
}

// One that follows hears who should lead.
void Simulation::name_leader(size_t index) {
  log("another leader named for", index);
  nodes_[index]->replica()->prefer_leader(nodes_[(index + 1) % nodes_.size()]->ties().address);
}

// What was slow is often gone in the end.
void Simulation::end_slowness(size_t index) {
  Faults& faults = nodes_[index]->faults();
  faults.slow = 2;
  if (!storm_ || world_.rng().chance(50)) return;
  log("partition", index);
  faults.unreachable = true;
  for_a_while(4000 * millisecond, [&faults] { faults.unreachable = false; });
}

void Simulation::crash_leaders() {
  if (!storm_) return;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i]->running() || !nodes_[i]->replica()->leads()) continue;
    log("crash of the leader", i);
    nodes_[i]->crash();
    restart_later(i);
  }
}

// The standby goes, so that commits wait and what they wrote is only visible. Then it is back, or
// is promoted as it was, and the trouble has reached others as well.
void Simulation::lose_primary() {
  if (exclusive_) return;
  log("standby gone");
  database_.standby_gone = true;
  world_.at(world_.rng().between(150 * millisecond, 800 * millisecond), [this] {
    if (!std::exchange(database_.standby_gone, false) || world_.rng().chance(30)) return;
    log("promoted");
    if (database_.fail_over() > 0) probes_.hit("sim: a failover lost rows that were visible");
    if (world_.rng().chance(70)) crash_leaders();
    if (!storm_) return;
    for (auto& node : nodes_) {
      if (!world_.rng().chance(40)) continue;
      node->faults().unreachable = true;
      for_a_while(4000 * millisecond, [&faults = node->faults()] { faults.unreachable = false; });
    }
  });
}

void Simulation::make_peace() {
  log("peace");
  storm_ = false;
  database_.full = false;
  database_.standby_gone = false;
  database_.on_removal = nullptr;
  network_.faults() = {0, 0, 0, 0, 0, 0};
  for (auto& node : nodes_) {
    network_.host(node->ties().address).cut_off = false;
    node->faults() = {0, 0, 0, 0, 0, 1, false};
    if (node->process().paused()) node->process().resume();
  }
  world_.run_for(std::chrono::seconds(4));  // stops and restarts under way
  for (auto& node : nodes_) {
    if (!node->running()) node->start();
  }
  for (auto& watcher : watchers_) watcher->hurry();
}

size_t Simulation::leaders() const {
  return static_cast<size_t>(std::count_if(nodes_.begin(), nodes_.end(), [](const auto& node) {
    return node->running() && node->replica()->can_linearize();
  }));
}

// G50, G51: replicas that have applied the same agree; a fresh one with them. Somebody leads, if
// not at this very moment: one answer in a hundred is slow in peace, too, and two in a row let a
// session lapse until its next renewal.
void Simulation::check_replicas() {
  const int64_t latest = world_.now() + 3000 * millisecond;
  while (leaders() == 0 && world_.now() < latest) world_.run_for(std::chrono::milliseconds(100));
  if (leaders() != 1) report_.problems.push_back("liveness: leaders: " + std::to_string(leaders()));
  Node& fresh = *nodes_[world_.rng().below(nodes_.size())];
  if (fresh.running()) fresh.crash();
  fresh.start();
  world_.run_for(std::chrono::seconds(4));
  std::map<std::pair<int64_t, int64_t>, uint32_t> hashes;  // of the state at (revision, compact)
  for (const auto& node : nodes_) {
    if (!node->failure().empty()) {
      report_.problems.push_back("a replica gave up: " + node->failure());
    }
    if (!node->running()) continue;
    if (!node->replica()->loaded() && node->failure().empty()) {
      report_.problems.emplace_back("liveness: a replica shows nothing");
    }
    if (!node->replica()->loaded()) continue;
    node->replica()->hash_kv(Revision(0), [&](const Result<keyspace::HashResult>& hash) {
      if (!hash.ok()) return;
      const std::pair at(hash->hash_revision.value, hash->compact_revision.value);
      const auto [known, first] = hashes.emplace(at, hash->hash);
      if (!first) probes_.hit("sim: two replicas were compared");
      if (known->second != hash->hash) report_.problems.emplace_back("G50: replicas differ");
    });
  }
}

void Simulation::print_history() const {
  for (const auto& [seq, committed] : database_.truth()) {
    for (const keyspace::Record& record : committed.batch->records) {
      std::printf(
          "%10.3f batch %llu: kind %d revision %lld.%d key %s value %s lease %lld number %lld\n",
          static_cast<double>(committed.at) / millisecond, static_cast<unsigned long long>(seq),
          static_cast<int>(record.kind), static_cast<long long>(record.revision.value), record.sub,
          std::string(record.key.view()).c_str(),
          record.kind == keyspace::RecordKind::takeover ? "-"
                                                        : std::string(record.value.view()).c_str(),
          static_cast<long long>(record.lease.value), static_cast<long long>(record.number));
    }
  }
  for (const WatchRun& run : history_.watches) {
    std::printf("watch [%s, %s) from %lld:", run.spec.range.key.c_str(), run.spec.range.end.c_str(),
                static_cast<long long>(run.spec.start_revision.value));
    for (const WatchRun::Entry& entry : run.entries) {
      std::printf(" %.3f:%c@%lld", static_cast<double>(entry.at) / millisecond, "cepsx"[entry.kind],
                  static_cast<long long>(entry.header));
      for (const WatchRun::Event& event : entry.list) {
        std::printf("[%lld.%d %s]", static_cast<long long>(event.revision), event.sub,
                    event.key.c_str());
      }
    }
    std::printf("\n");
  }
  for (const Op& op : history_.ops) {
    std::printf("%10.3f %10.3f client %d node %d kind %zu outcome %d error %d revision %lld\n",
                static_cast<double>(op.called) / millisecond,
                static_cast<double>(op.returned) / millisecond, op.client, op.node, op.what.index(),
                static_cast<int>(op.outcome), static_cast<int>(op.error),
                op.outcome == Outcome::ok ? static_cast<long long>(header_of(op)) : -1);
  }
}

}  // namespace

SimReport simulate(const SimOptions& options) {
  plant(options.bug);
  SimReport report = Simulation(options).run();
  plant(Planted::none);
  return report;
}

std::optional<Found> hunt(Planted bug, uint64_t seeds) {
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const SimReport report = simulate({seed, bug, false});
    if (!report.problems.empty()) return Found{seed, report.problems.front()};
  }
  plant(bug);
  std::string problem = long_lease_problem();
  if (problem.empty()) problem = lost_history_problem();
  if (problem.empty()) problem = guarded_problem();
  plant(Planted::none);
  return problem.empty() ? std::nullopt : std::optional(Found{0, std::move(problem)});
}

}  // namespace lattice::sim
