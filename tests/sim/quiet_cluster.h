// Nodes of a shared log in a world where nothing goes wrong but what a test does. Thread: one.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "sim/cluster.h"

namespace lattice::sim {

struct QuietCluster {
  // `asynchronous`: what the database acknowledges need not survive its failover.
  explicit QuietCluster(int count, uint64_t seed = 7, bool with_fanout = true,
                        bool asynchronous = false)
      : world(seed) {
    database.asynchronous = asynchronous;
    for (int i = 0; i < count; ++i) {
      nodes.push_back(
          std::make_unique<Node>(world, database, probes, false,
                                 Node::Ties{&network, with_fanout, "node " + std::to_string(i)}));
      nodes.back()->faults() = {0, 0, 0, 0, 0, 0, false};
    }
    network.faults() = {0, 0, 0, 0, 0, 0};
    for (auto& node : nodes) node->start();
    world.run_for(std::chrono::seconds(3));
    REQUIRE(leader() != nullptr);
  }

  Node* leader() {
    for (auto& node : nodes) {
      if (node->running() && node->replica()->can_linearize()) return node.get();
    }
    return nullptr;
  }
  // The first that does not lead.
  Node* follower() { return leader() == nodes[0].get() ? nodes[1].get() : nodes[0].get(); }
  // Answers once it is committed.
  void put() {
    keyspace::PutRequest request;
    request.key = "k";
    bool ok = false;
    leader()->replica()->put(std::move(request), [&](const auto& result) { ok = result.ok(); });
    world.run_for(std::chrono::milliseconds(20));
    REQUIRE(ok);
  }
  // Asks `from`, which leads.
  void move(Node& from, Node& to) {
    from.replica()->move_leader(to.ties().address, [](const Status&) {});
    while (leader() != &to) REQUIRE(world.step(world.now() + 1'000'000'000));
  }

  SimWorld world;
  SimDatabase database{world};
  Probes probes;
  SimNetwork network{world, probes};
  std::vector<std::unique_ptr<Node>> nodes;
};

}  // namespace lattice::sim
