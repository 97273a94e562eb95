// Nodes of a shared log in a world where nothing goes wrong but what a test or a scenario does.
// Thread: one.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/cluster.h"

namespace lattice::sim {

struct QuietCluster {
  // One of them leads when it is made. `asynchronous`: what the database acknowledges need not
  // survive its failover.
  explicit QuietCluster(int count, uint64_t seed = 7, bool with_fanout = true,
                        bool asynchronous = false)
      : world(seed) {
    database.asynchronous = asynchronous;
    network.faults() = {0, 0, 0, 0, 0, 0};
    for (int i = 0; i < count; ++i) {
      nodes.push_back(
          std::make_unique<Node>(world, database, probes, false,
                                 Node::Ties{&network, with_fanout, "node " + std::to_string(i)}));
      nodes.back()->faults() = {0, 0, 0, 0, 0, 0, false};
    }
    for (auto& node : nodes) node->start();
    run_for(std::chrono::seconds(3));
  }

  void run_for(Duration time) { world.run_for(time); }
  Node* leader() {
    for (auto& node : nodes) {
      if (node->running() && node->replica()->can_linearize()) return node.get();
    }
    return nullptr;
  }
  // The first that does not lead.
  Node* follower() {
    Node* const leads = leader();
    for (auto& node : nodes) {
      if (node.get() != leads) return node.get();
    }
    return nullptr;
  }
  // What `ask` is told by the callback that it is given; timeout if that takes too long.
  template <class Answer, class Ask>
  Result<Answer> answer_of(Ask ask) {
    auto answer = std::make_shared<std::optional<Result<Answer>>>();
    ask([answer](Result<Answer> result) { *answer = std::move(result); });
    for (int i = 0; i < 1000 && !*answer; ++i) run_for(std::chrono::milliseconds(10));
    return *answer ? std::move(**answer) : Result<Answer>(Error::timeout);
  }
  // The revision of a put, which is tried until it is acknowledged; 0 if it never is.
  int64_t put(Node& node, const std::string& key = "key") {
    int64_t revision = 0;
    for (int attempt = 0; attempt < 5 && revision == 0; ++attempt) {
      keyspace::PutRequest request;
      request.key = key;
      request.value = "v";
      const auto result = answer_of<keyspace::PutResult>(
          [&](auto done) { node.replica()->put(std::move(request), std::move(done)); });
      if (result.ok()) revision = result->header_revision.value;
    }
    return revision;
  }
  // What a node answers within a second; timeout if nothing.
  Result<keyspace::RangeResult> get(Node& node, std::string key = "key", int64_t revision = 0) {
    keyspace::RangeRequest request;
    request.range.key = std::move(key);
    request.revision = Revision(revision);
    Result<keyspace::RangeResult> answer = Error::timeout;
    node.replica()->range(std::move(request), [&answer](Result<keyspace::RangeResult> result) {
      answer = std::move(result);
    });
    run_for(std::chrono::seconds(1));
    return answer;
  }
  // Asks `from`, which leads; whether the other one does in the end.
  bool move(Node& from, Node& to) {
    from.replica()->move_leader(to.ties().address, [](const Status&) {});
    while (leader() != &to) {
      if (!world.step(world.now() + 1'000'000'000)) return false;
    }
    return true;
  }

  SimWorld world;
  SimDatabase database{world};
  Probes probes;
  SimNetwork network{world, probes};
  std::vector<std::unique_ptr<Node>> nodes;
};

}  // namespace lattice::sim
