// Physical compactions that take long, asked of nodes that lead and of nodes that do not.
#include <doctest/doctest.h>

#include <optional>

#include "sim/cluster.h"

namespace lattice::sim {
namespace {

constexpr int64_t puts = 30;

struct Couple {
  Couple() {
    for (int i = 0; i < 2; ++i) {
      nodes.push_back(std::make_unique<Node>(
          world, database, probes, false, Node::Ties{&network, true, "node " + std::to_string(i)}));
      nodes.back()->faults() = {0, 0, 0, 0, 0, 0, false};
    }
    network.faults() = {0, 0, 0, 0, 0, 0};
    for (auto& node : nodes) node->start();
    world.run_for(std::chrono::seconds(3));
    REQUIRE(leader() != nullptr);
    for (int64_t i = 0; i < puts; ++i) {
      keyspace::PutRequest request;
      request.key = "k";
      bool ok = false;
      leader()->replica()->put(std::move(request), [&](const auto& result) { ok = result.ok(); });
      world.run_for(std::chrono::milliseconds(20));
      REQUIRE(ok);
    }
    database.removal_fails = true;
  }

  Node* leader() {
    for (auto& node : nodes) {
      if (node->running() && node->replica()->can_linearize()) return node.get();
    }
    return nullptr;
  }
  Node* follower() { return leader() == nodes[0].get() ? nodes[1].get() : nodes[0].get(); }
  // Asks for a physical compaction of everything; it has been made when this returns, and goes on.
  void compact(Node& node) {
    node.replica()->compact(Revision(1 + puts), true, [this](Result<Revision> result) {
      REQUIRE_FALSE(answer);
      answer = std::move(result);
    });
    world.run_for(std::chrono::seconds(1));
    for (auto& each : nodes) CHECK(error_of_read_at(*each, puts) == Error::compacted);
  }
  // Needs no leader, so it is answered at once.
  static Error error_of_read_at(Node& node, int64_t revision) {
    keyspace::RangeRequest request;
    request.range = {"k", "l"};
    request.revision = Revision(revision);
    request.serializable = true;
    Error error = Error::unsent;
    node.replica()->range(std::move(request), [&](const auto& result) { error = result.error(); });
    return error;
  }
  // Nothing is answered until what was superseded can be deleted, and has been.
  void check_waits_for_removal() {
    CHECK_FALSE(answer);
    CHECK(stored_puts() == puts);
    database.removal_fails = false;
    world.run_for(std::chrono::seconds(2));
    REQUIRE(answer);
    REQUIRE(answer->ok());
    CHECK(**answer == Revision(1 + puts));
    CHECK(stored_puts() == 1);
  }
  size_t stored_puts() const {
    size_t count = 0;
    for (const auto& [seq, row] : database.rows()) {
      for (const auto& [sub, record] : row.records) {
        count += record.kind == keyspace::RecordKind::put;
      }
    }
    return count;
  }

  SimWorld world{7};
  SimDatabase database{world};
  Probes probes;
  SimNetwork network{world, probes};
  std::vector<std::unique_ptr<Node>> nodes;
  std::optional<Result<Revision>> answer;
};

}  // namespace

TEST_CASE("a physical compaction is waited for as long as it takes, whoever was asked") {
  for (const bool at_leader : {true, false}) {
    CAPTURE(at_leader);
    Couple f;
    f.compact(at_leader ? *f.leader() : *f.follower());
    f.world.run_for(std::chrono::minutes(2));
    f.check_waits_for_removal();
  }
}

TEST_CASE("a physical compaction outlives its leader for who waits elsewhere") {
  Couple f;
  f.compact(*f.follower());
  f.leader()->crash();
  f.world.run_for(std::chrono::seconds(20));
  REQUIRE(f.leader() != nullptr);
  f.check_waits_for_removal();
}

TEST_CASE("who waits for a physical compaction at a leader that hands over goes on waiting") {
  Couple f;
  Node* first = f.leader();
  Node* second = f.follower();
  f.compact(*first);
  bool moved = false;
  first->replica()->move_leader(second->ties().address,
                                [&](const Status& status) { moved = status.ok(); });
  f.world.run_for(std::chrono::seconds(20));
  REQUIRE(moved);
  CHECK(f.leader() == second);
  f.check_waits_for_removal();
}

TEST_CASE("whoever waits for a physical compaction at a node that ends is told so") {
  for (const bool at_leader : {true, false}) {
    CAPTURE(at_leader);
    Couple f;
    Node* asked = at_leader ? f.leader() : f.follower();
    f.compact(*asked);
    asked->stop();
    f.world.run_for(std::chrono::seconds(3));
    REQUIRE(f.answer);
    CHECK(f.answer->error() == Error::stopped);
  }
}

}  // namespace lattice::sim
