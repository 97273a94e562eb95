// Physical compactions that take long, asked of nodes that lead and of nodes that do not.
#include <doctest/doctest.h>

#include <optional>

#include "sim/quiet_cluster.h"

namespace lattice::sim {
namespace {

constexpr int64_t puts = 30;

struct Couple : QuietCluster {
  explicit Couple(uint64_t seed = 7) : QuietCluster(2, seed) {
    for (int64_t i = 0; i < puts; ++i) REQUIRE(put(*leader()) == i + 2);
    database.removal_fails = true;
  }

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

TEST_CASE("the answer about deletions of an earlier term is not taken for the present one's") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Couple f(seed);
    f.database.removal_fails = false;
    Node& first = *f.leader();
    Node& second = *f.follower();
    first.replica()->compact(Revision(1 + puts), false, [](const Result<Revision>&) {});
    while (Couple::error_of_read_at(first, puts) != Error::compacted) {
      REQUIRE(f.world.step(f.world.now() + 1'000'000'000));
    }
    // The first deletion is on its way for long; the second node does what there is to do.
    first.faults().slow = 100;
    f.world.run_for(std::chrono::milliseconds(3));
    first.faults().slow = 0;
    REQUIRE(f.move(first, second));
    f.world.run_for(std::chrono::milliseconds(100));
    CHECK(f.stored_puts() == 1);
    REQUIRE(f.move(second, first));
    // Another list of deletions is being worked off when the answer arrives.
    for (int64_t i = 0; i < puts; ++i) REQUIRE(f.put(*f.leader()) > 0);
    first.replica()->compact(Revision(1 + 2 * puts), true,
                             [&](Result<Revision> result) { f.answer = std::move(result); });
    f.world.run_for(std::chrono::seconds(4));
    REQUIRE(f.answer);
    REQUIRE(f.answer->ok());
    CHECK(f.stored_puts() == 1);
  }
}

}  // namespace lattice::sim
