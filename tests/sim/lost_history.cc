#include "sim/lost_history.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "sim/quiet_cluster.h"

namespace lattice::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A watch of everything, and whether the client was told that it ended.
class Ear : public replica::WatchSink {
 public:
  void on_created(WatchId, Revision, replica::WatchRefusal) override {}
  void on_events(WatchId, Revision, bool, replica::WatchEvents) override {}
  void on_progress(WatchId, Revision) override {}
  void on_compacted(WatchId, Revision) override { ended = true; }
  void on_canceled(WatchId, Revision) override {}
  void on_closed(Status) override { ended = true; }

  bool ended = false;
};

class Bench : public QuietCluster {
 public:
  explicit Bench(bool with_fanout = true)
      : QuietCluster(3, 7, with_fanout, /*asynchronous=*/true) {}

  void listen(Node& node, Ear* ear) {
    streams_.push_back(node.replica()->open_watch_stream(*ear));
    replica::WatchCreate create;
    create.range = {std::string(1, '\0'), std::string(1, '\0')};
    streams_.back()->create(create);
    run_for(seconds(1));
  }

 private:
  std::vector<std::unique_ptr<replica::WatchStream>> streams_;
};

std::string known_to_all() {
  Bench bench;
  Node& node = *bench.nodes.front();
  bench.put(node);
  int64_t acknowledged = 0;
  for (int i = 0; i < 20; ++i) acknowledged = bench.put(node);
  for (const auto& one : bench.nodes) {
    if (!bench.get(*one).ok()) return "E37: a node does not read";
  }
  bench.database.fail_over_losing(20);
  const int64_t next = bench.put(node);
  if (next <= acknowledged) {
    return "E52: after a loss, " + std::to_string(next) + " was answered, and " +
           std::to_string(acknowledged) + " before";
  }
  bench.run_for(seconds(2));
  for (const auto& one : bench.nodes) {
    if (!bench.get(*one).ok()) return "E37: a node does not read behind a loss";
  }
  return "";
}

// The others have never seen what was lost, and go on from what is left when the witness speaks.
std::string known_to_one() {
  Bench bench;
  Node* witness = bench.follower();
  if (witness == nullptr) return "E37: nobody follows";
  bench.put(*witness);
  bench.run_for(seconds(1));
  bench.put(*witness);
  bench.run_for(seconds(1));
  for (const auto& node : bench.nodes) {
    if (node.get() != witness) node->crash();
  }
  witness->process().pause();
  bench.database.asynchronous = false;  // the server's timeline tells nothing
  bench.database.fail_over_losing(1);
  for (const auto& node : bench.nodes) {
    if (node.get() != witness) node->start();
  }
  bench.run_for(seconds(4));
  std::vector<Ear> ears(bench.nodes.size());
  for (size_t i = 0; i < ears.size(); ++i) {
    if (bench.nodes[i].get() != witness) bench.listen(*bench.nodes[i], &ears[i]);
  }
  witness->process().resume();
  bench.run_for(seconds(4));
  for (size_t i = 0; i < ears.size(); ++i) {
    if (bench.nodes[i].get() != witness && !ears[i].ended) {
      return "E52: a watch goes on behind a loss";
    }
  }
  return "";
}

// A follower that has all of what was lost, and of what came then only the leader's answers.
std::string unseen() {
  Bench bench(false);
  Node* follower = bench.follower();
  if (follower == nullptr) return "E37: nobody follows";
  for (int i = 0; i < 9; ++i) bench.put(*follower);
  bench.run_for(seconds(1));
  follower->faults().unreachable = true;
  bench.database.fail_over_losing(8);
  int64_t newest = 0;
  for (const auto& node : bench.nodes) {
    if (node.get() != follower) newest = std::max(newest, bench.put(*node));
  }
  const auto answer = bench.get(*follower);
  if (newest == 0) return "E37: nobody writes";
  if (!answer.ok() || answer->header_revision.value >= newest) return "";
  return "B6: a read was answered at revision " + std::to_string(answer->header_revision.value) +
         ", after " + std::to_string(newest) + " had been";
}

}  // namespace

std::string lost_history_problem() {
  std::string problem = known_to_all();
  if (problem.empty()) problem = known_to_one();
  return problem.empty() ? unseen() : problem;
}

}  // namespace lattice::sim
