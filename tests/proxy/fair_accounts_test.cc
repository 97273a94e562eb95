// Which of one tenant's connections is served, on a clock of the test's own.
#include "proxy/fair_shares.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "proxy/fair_world.h"

namespace lattice::proxy {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// What a connection of a loop that need not queue does: it is only measured.
void serve_unqueued(FairWorld& world, const SharedFlow& flow, FairAccount& account, Duration took) {
  world.shares.note(flow, world.now);
  const bool measures = FairShares::measures(*flow, account);
  world.now = world.now + took;
  if (measures) world.shares.measured(*flow, account, took);
}

TEST_CASE("Of one tenant's connections, who uses little does not wait for those who use much") {
  FairWorld world;
  const SharedFlow flow = flow_of(1);
  const Crowd crowd = crowd_of(world, {flow}, microseconds(90), 100);
  Work modest(world, flow, microseconds(5), 1);
  Duration longest{};
  for (int i = 0; i < 1000; ++i) {
    world.turn();
    modest.left = 1;
    modest.want();
    const Instant asked = world.now;
    while (modest.left > 0) world.turn();
    if (i > 50) longest = std::max(longest, modest.ended_at - asked);
  }
  // At most ten of the hundred are served before it.
  CHECK(longest <= microseconds(10 * 90 + 5));
  const auto taken = [](const auto& work) { return work->taken; };
  CHECK(taken(*std::ranges::max_element(crowd, {}, taken)) -
            taken(*std::ranges::min_element(crowd, {}, taken)) <=
        microseconds(90));
}

TEST_CASE("A giant piece is paid back to the tenant's other connections") {
  FairWorld world;
  const SharedFlow flow = flow_of(1);
  Work giant(world, flow, milliseconds(50), 10);
  Work other(world, flow, microseconds(80), endless);
  giant.want();
  other.want();
  world.turn();
  REQUIRE(giant.left == 9);
  const Duration before = other.taken;
  while (giant.left == 9) world.turn();
  CHECK(other.taken - before >= milliseconds(45));
  CHECK(other.taken - before <= milliseconds(55));
}

TEST_CASE("Nobody pays for what the machine gave to others while he was served") {
  FairWorld world;
  const SharedFlow flow = flow_of(1);
  const Crowd crowd = crowd_of(world, {flow}, microseconds(80), 64);
  Work unlucky(world, flow, microseconds(80), endless);
  unlucky.want();
  // So that what the pieces take is known.
  for (int i = 0; i < 1000; ++i) world.turn();
  unlucky.stall = milliseconds(100);
  while (unlucky.stall != Duration{}) world.turn();
  const Instant served_at = world.now;
  const int left = unlucky.left;
  while (unlucky.left == left) world.turn();
  // The thread's time may have been looked at half a millisecond before; and 65 share the loop.
  CHECK(world.now - served_at <= 65 * 2 * WorkClock::step);
}

TEST_CASE("However long a piece was, among many others it is put off for a second at most") {
  FairWorld world;
  const SharedFlow flow = flow_of(1);
  const Crowd crowd = crowd_of(world, {flow}, microseconds(80), 64);
  Work giant(world, flow, milliseconds(300), 2);
  giant.want();
  while (giant.left == 2) world.turn();
  const Instant served_at = world.now;
  while (giant.left == 1) world.turn();
  CHECK(giant.ended_at - giant.takes - served_at >= milliseconds(900));
  CHECK(giant.ended_at - giant.takes - served_at <= milliseconds(1100));
}

TEST_CASE("Nor is it put off for longer when the others come only while it waits") {
  FairWorld world;
  const SharedFlow flow = flow_of(1);
  Work other(world, flow, microseconds(80), endless);
  other.want();
  std::vector<std::unique_ptr<Work>> giants;
  for (int i = 0; i < 3; ++i) {
    giants.push_back(std::make_unique<Work>(world, flow, milliseconds(300), 2));
    giants.back()->want();
  }
  const auto served = [&giants](int times) {
    return std::ranges::all_of(giants, [&](const auto& each) { return each->left == 2 - times; });
  };
  while (!served(1)) world.turn();
  const Instant served_at = world.now;
  const Crowd crowd = crowd_of(world, {flow}, microseconds(80), 64);
  while (!served(2)) world.turn();
  // All of them, and for as long as they took themselves.
  CHECK(world.now - served_at <= milliseconds(1100 + 3 * 300));
}

TEST_CASE("A flood of fresh connections gets no more than one connection does") {
  FairWorld world;
  const SharedFlow flow = flow_of(1);
  const auto strangers = std::make_shared<FairFlow>();
  Work modest(world, flow, microseconds(20), 1);
  FairShares::settle(modest, *flow);
  Crowd flood;
  Duration longest{};
  for (int i = 0; i < 300; ++i) {
    // Each turn three come, ask for something that takes long, and are gone.
    for (int fresh = 0; fresh < 3; ++fresh) {
      flood.push_back(std::make_unique<Work>(world, flow, milliseconds(1), 1));
      CHECK(FairShares::move(*flood.back(), *strangers, *flow));
      flood.back()->want();
    }
    modest.left = 1;
    modest.want();
    const Instant asked = world.now;
    while (modest.left > 0) world.turn();
    if (i > 10) longest = std::max(longest, modest.ended_at - asked);
  }
  CHECK(longest == microseconds(20));
  // And one that has stayed has its own.
  Work honest(world, flow, microseconds(20), 1);
  CHECK(FairShares::move(honest, *strangers, *flow));
  FairShares::settle(honest, *flow);
  honest.want();
  const Instant asked = world.now;
  world.turn();
  CHECK(honest.ended_at - asked == microseconds(20));
}

TEST_CASE("The strangers who came first are done first, however many come behind them") {
  FairWorld world;
  const auto strangers = std::make_shared<FairFlow>();
  // Three steps of a handshake each; a new one comes with every turn.
  Work honest(world, strangers, microseconds(400), 3);
  Crowd flood = crowd_of(world, {strangers}, microseconds(400), 20, 3);
  honest.want();
  int turns = 0;
  for (; honest.left > 0 && turns < 1000; ++turns) {
    flood.push_back(std::make_unique<Work>(world, strangers, microseconds(400), 3));
    flood.back()->want();
    world.turn();
  }
  CHECK(honest.left == 0);
  CHECK(turns < 500);
}

TEST_CASE("One connection's several pieces of work count as one connection") {
  FairWorld world;
  const SharedFlow flow = flow_of(1);
  Work connection(world, flow, microseconds(50), endless);
  Crowd lists;
  for (int i = 0; i < 9; ++i) {
    lists.push_back(std::make_unique<Work>(world, flow, microseconds(50), endless));
    lists.back()->pay_from(connection.account());
    lists.back()->want();
  }
  Work other(world, flow, microseconds(50), endless);
  other.want();
  const Instant start = world.now;
  for (int i = 0; i < 2000; ++i) world.turn();
  CHECK(static_cast<double>(other.taken.count()) /
            static_cast<double>((world.now - start).count()) ==
        doctest::Approx(0.5).epsilon(0.05));
}

TEST_CASE("Two pieces of one connection do not put each other off while neither is done") {
  FairWorld world;
  const SharedFlow flow = flow_of(1);
  const Crowd crowd = crowd_of(world, {flow}, microseconds(80), 64);
  Work reading(world, flow, milliseconds(2), 20);
  Work list(world, flow, milliseconds(2), 1);
  list.pay_from(reading.account());
  reading.want();
  while (reading.left > 1) world.turn();
  // What its pieces take is known now; the other one comes while this one waits.
  const Instant begun = world.now;
  while (world.now < begun + milliseconds(20)) world.turn();
  list.want();
  while ((reading.left > 0 || list.left > 0) && world.now < begun + milliseconds(2000)) {
    world.turn();
  }
  CHECK(reading.left == 0);
  CHECK(list.left == 0);
}

TEST_CASE("A tenant alone queues while its connections use the loop unevenly, and only then") {
  FairWorld world;
  const SharedFlow flow = flow_of(1);
  std::vector<FairAccount> same(16);
  for (int round = 0; round < 100; ++round) {
    for (FairAccount& account : same) serve_unqueued(world, flow, account, microseconds(100));
  }
  CHECK_FALSE(world.shares.shared());
  // Two that do little beside one that does much.
  FairAccount hostile;
  for (int round = 0; round < 100; ++round) {
    serve_unqueued(world, flow, hostile, microseconds(900));
    serve_unqueued(world, flow, same[0], microseconds(10));
    serve_unqueued(world, flow, same[1], microseconds(10));
  }
  CHECK(world.shares.shared());
  CHECK_FALSE(world.shares.contended());
  // It has left.
  for (int round = 0; round < 2000; ++round) {
    serve_unqueued(world, flow, same[0], microseconds(400));
    serve_unqueued(world, flow, same[1], microseconds(400));
  }
  CHECK_FALSE(world.shares.shared());
  // A loop that is idle most of the time is nobody's trouble.
  for (int round = 0; round < 300; ++round) {
    serve_unqueued(world, flow, same[0], microseconds(200));
    serve_unqueued(world, flow, same[1], microseconds(1));
    world.now = world.now + milliseconds(10);
  }
  CHECK_FALSE(world.shares.shared());
}

TEST_CASE("A connection alone is not measured") {
  FairWorld world;
  const SharedFlow flow = flow_of(1);
  FairAccount one;
  FairAccount two;
  const auto ready = [&](FairAccount& account) {
    world.now = world.now + milliseconds(20);
    world.shares.note(flow, world.now);
    return FairShares::measures(*flow, account);
  };
  ready(one);
  for (int i = 0; i < 100; ++i) ready(one);
  CHECK_FALSE(ready(one));
  CHECK(ready(two));
  CHECK(ready(one));
  for (int i = 0; i < 60; ++i) ready(one);
  CHECK_FALSE(ready(one));
}

TEST_CASE("A connection whose requests are of two tenants by turns is not put off for ever") {
  FairWorld world;
  const SharedFlow a = flow_of(1);
  const SharedFlow b = flow_of(1);
  Work busy_a(world, a, microseconds(50), endless);
  Work busy_b(world, b, microseconds(50), endless);
  busy_a.want();
  busy_b.want();
  Work in_a(world, a, microseconds(50), 0);
  Work in_b(world, b, microseconds(50), 0);
  Work connection(world, a, microseconds(50), 0);
  in_a.pay_from(connection.account());
  in_b.pay_from(connection.account());
  Duration longest{};
  for (int i = 0; i < 2000; ++i) {
    Work& work = i % 2 == 0 ? in_a : in_b;
    CHECK_FALSE(FairShares::move(connection, i % 2 == 0 ? *b : *a, *work.flow));
    work.left = 1;
    work.want();
    const Instant asked = world.now;
    while (work.left > 0) world.turn();
    longest = std::max(longest, world.now - asked);
  }
  CHECK(longest < milliseconds(3));
}

}  // namespace
}  // namespace lattice::proxy
