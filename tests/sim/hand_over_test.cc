// A leader that is asked to hand over.
#include <doctest/doctest.h>

#include "sim/quiet_cluster.h"

namespace lattice::sim {

TEST_CASE("who hands over invites nobody once another has taken over") {
  int exercised = 0;
  for (int run = 0; run < 100; ++run) {
    CAPTURE(run);
    QuietCluster f(3, static_cast<uint64_t>(run));
    Node& first = *f.leader();
    // Its session ends, and one of the others takes over before it hears of that.
    for (auto& [incarnation, row] : f.database.sessions()) {
      if (row.node.address == first.ties().address) row.dead = true;
    }
    Node* successor = nullptr;
    Node* invited = nullptr;
    while (successor == nullptr) {
      f.world.run_for(std::chrono::microseconds(100));
      for (auto& node : f.nodes) {
        if (node.get() == &first) continue;
        (node->replica()->leads() ? successor : invited) = node.get();
      }
    }
    f.world.run_for(std::chrono::milliseconds(5));
    if (!first.replica()->leads()) continue;
    const uint64_t epoch = successor->replica()->epoch();
    // Its next append is rejected; it is asked when it has read the successor's takeover, or not.
    keyspace::PutRequest request;
    request.key = "k";
    first.replica()->put(std::move(request), [](const auto&) {});
    f.world.run_for(std::chrono::microseconds(100) * (run % 50));
    if (!first.replica()->leads()) continue;
    first.replica()->move_leader(invited->ties().address, [](const Status&) {});
    ++exercised;
    f.world.run_for(std::chrono::seconds(3));
    CHECK(f.leader() == successor);
    CHECK(successor->replica()->epoch() == epoch);
  }
  CHECK(exercised >= 20);
}

// The leader dies; how long until `f` has another one, who that is and in which epoch.
struct Succession {
  Node* leader = nullptr;
  uint64_t epochs = 0;
  Duration gap{};
};
Succession end_leader(QuietCluster& f, Node& leader) {
  const uint64_t epoch = leader.replica()->epoch();
  const int64_t began = f.world.now();
  leader.crash();
  Succession outcome;
  while (outcome.leader == nullptr && f.world.now() - began < 10'000'000'000) {
    f.world.run_for(std::chrono::milliseconds(1));
    outcome.leader = f.leader();
  }
  outcome.gap = std::chrono::nanoseconds(f.world.now() - began);
  f.world.run_for(std::chrono::seconds(2));
  if (f.leader() != nullptr) outcome.epochs = f.leader()->replica()->epoch() - epoch;
  return outcome;
}

// All hear that this one, which is not the leader, should lead.
Node& name_another(QuietCluster& f, const Node& leader) {
  Node& named = *f.nodes[&leader == f.nodes[2].get() ? 1 : 2];
  for (auto& node : f.nodes) node->replica()->prefer_leader(named.ties().address);
  return named;
}

TEST_CASE("who should lead takes over first where the leader dies") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    QuietCluster f(3, seed);
    Node& leader = *f.leader();
    Node& named = name_another(f, leader);
    const Succession outcome = end_leader(f, leader);
    CHECK(outcome.leader == &named);
    CHECK(outcome.epochs == 1);
    CHECK(outcome.gap < std::chrono::milliseconds(2000));
  }
}

TEST_CASE("who should lead and does not is waited for a moment, or not at all where it was it") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    QuietCluster f(3, seed);
    Node& leader = *f.leader();
    name_another(f, leader).crash();
    Succession outcome = end_leader(f, leader);
    REQUIRE(outcome.leader != nullptr);
    CHECK(outcome.epochs == 1);
    // A TTL, a look, and the quarter of a TTL that the other one had.
    CHECK(outcome.gap < std::chrono::milliseconds(2400));
    CHECK(f.probes.count("a replica held back for who should lead") == 1);

    QuietCluster g(3, seed);
    for (auto& node : g.nodes) node->replica()->prefer_leader(g.leader()->ties().address);
    outcome = end_leader(g, *g.leader());
    CHECK(outcome.leader != nullptr);
    CHECK(outcome.gap < std::chrono::milliseconds(2000));
    CHECK(g.probes.count("a replica held back for who should lead") == 0);
  }
}

TEST_CASE("who led in between does not read its own append on the word of an older look") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    QuietCluster f(2, seed);
    Node& first = *f.leader();
    Node& second = *f.follower();
    // A look of the follower is on its way for long.
    second.faults().slow = 100;
    f.world.run_for(std::chrono::milliseconds(250));
    second.faults().slow = 0;
    REQUIRE(f.move(first, second));
    // It leads, and does not hear what becomes of an append; nor does its successor of its wish.
    second.faults().append_lost_after = 100;
    f.network.host(first.ties().address).cut_off = true;
    keyspace::PutRequest request;
    request.key = "k";
    second.replica()->put(std::move(request), [](const auto&) {});
    f.world.run_for(std::chrono::milliseconds(2));
    second.replica()->move_leader(first.ties().address, [](const Status&) {});
    f.world.run_for(std::chrono::milliseconds(1500));
    second.faults().append_lost_after = 0;
    f.world.run_for(std::chrono::seconds(5));
    CHECK(second.failure().empty());
    CHECK(f.leader() == &second);
  }
}

}  // namespace lattice::sim
