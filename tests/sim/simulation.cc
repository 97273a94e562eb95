#include "sim/simulation.h"

#include <chrono>
#include <cstdio>
#include <memory>

#include "sim/checker.h"
#include "sim/client.h"
#include "sim/cluster.h"
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
  void make_peace();
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
  network_.retries_what_was_sent = options.bug == Bug::lost_call_repeated;
  // Most clusters have all there is; some have no fan-out, some only the database.
  const uint64_t ties = exclusive_ ? 9 : world_.rng().below(10);
  for (size_t i = 0; i < nodes; ++i) {
    nodes_.push_back(std::make_unique<Node>(
        world_, database_, probes_, options.bug, exclusive_,
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
    watchers_.push_back(
        std::make_unique<WatchClient>(world_, database_, nodes_, history_, probes_, options.bug));
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
  switch (rng.below(options_.bug == Bug::clock_jumps ? 12 : 11)) {
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
      log("stop", index);
      node.stop();
      return restart_later(index);
    case 7:
      log("slow", index);
      node.faults().slow = 60;
      return for_a_while(2000 * millisecond, [&node] { node.faults().slow = 2; });
    case 8:
      log("bad network");
      network_.faults() = {20, 20, 30, 30, 40, 20};
      return for_a_while(2000 * millisecond, [this] { network_.faults() = {}; });
    case 9:
      log("cut off", index);
      network_.host(node.ties().address).cut_off = true;
      return for_a_while(4000 * millisecond,
                         [this, &node] { network_.host(node.ties().address).cut_off = false; });
    case 10: {
      if (!node.running() || !node.replica()->leads()) return;
      log("move leader from", index);
      const std::string to = nodes_[rng.below(nodes_.size())]->ties().address;
      node.replica()->move_leader(to, [this](const Status& status) {
        if (status.ok()) probes_.hit("sim: the leadership was moved");
      });
      return;
    }
    default:
      log("clock jump", index);
      if (node.running()) node.environment().jump(std::chrono::hours(1));
  }
}

void Simulation::make_peace() {
  log("peace");
  storm_ = false;
  database_.full = false;
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

// G50, G51: replicas that have applied the same agree; a fresh one with them. Somebody leads.
void Simulation::check_replicas() {
  size_t leaders = 0;
  for (const auto& node : nodes_) leaders += node->running() && node->replica()->can_linearize();
  if (leaders != 1) report_.problems.push_back("liveness: leaders: " + std::to_string(leaders));
  Node& fresh = *nodes_[world_.rng().below(nodes_.size())];
  if (fresh.running()) fresh.crash();
  fresh.start();
  world_.run_for(std::chrono::seconds(4));
  std::map<std::pair<int64_t, int64_t>, uint32_t> hashes;  // of the state at (revision, compact)
  for (const auto& node : nodes_) {
    if (!node->failure().empty()) {
      report_.problems.push_back("a replica gave up: " + node->failure());
    }
    if (!node->running() || !node->replica()->loaded()) continue;
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

SimReport simulate(const SimOptions& options) { return Simulation(options).run(); }

const std::vector<std::string_view>& expected_probes() {
  static const std::vector<std::string_view> names = {
      "a batch in flight outlived its callers",
      "a batch that was read ahead has vanished",
      "a batch was not committed before the one that it follows",
      "a batch was rejected",
      "a clean error after an unknown outcome",
      "a fan-out message did not follow the log",
      "a fan-out message was not believed",
      "a forwarded call came back untouched",
      "a leader handed over",
      "a question for the position failed",
      "a compaction overtook another",
      "a deletion failed",
      "a follower fell behind a compaction",
      "a leader met another's takeover",
      "a leader's session lapsed and came back",
      "a leader's session was declared dead",
      "a renewal waited for its lease's expiry",
      "a watch fell behind",
      "a watch was overtaken by a compaction",
      "an earlier submission had committed",
      "an operation without records waited for the fence",
      "another batch was there",
      "another took over first",
      "the barrier failed",
      "the outcome of a forwarded call is not known",
      "the log was read while it was being compacted",
      "two appends overlapped",
      "sim: a failover lost rows that were visible",
      "sim: a lease expired",
      "sim: a replica loaded a log",
      "sim: a session moved just before it was declared dead",
      "sim: a session was declared dead",
      "sim: a call was executed after its caller was told that it is lost",
      "sim: a call was lost on its way",
      "sim: a call's answer was lost",
      "sim: a watch stream was closed",
      "sim: a watch was compacted",
      "sim: a watch was complete at the end",
      "sim: a watcher left and came back",
      "sim: a zombie append committed",
      "sim: a zombie append was too late",
      "sim: an operation of unknown outcome had happened",
      "sim: append committed and its reply lost",
      "sim: append lost before it was executed",
      "sim: append refused with a clean error",
      "sim: progress by itself",
      "sim: the leadership was moved",
      "sim: progress on request",
      "sim: two replicas were compared",
  };
  return names;
}

}  // namespace lattice::sim
