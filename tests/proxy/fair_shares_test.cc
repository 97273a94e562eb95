// Who is served when several want a loop, on a clock of the test's own.
#include "proxy/fair_shares.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace lattice::proxy {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Duration longest_turn = milliseconds(2);

// A loop that does nothing but fair turns.
struct World {
  Instant now{1'000'000'000};
  Duration elsewhere{};  // for how long something else had the processor
  bool turn_wanted = false;
  FairShares shares{{.now = [this] { return now; },
                     .thread_time = [this] { return now - Instant{} - elsewhere; },
                     .call_in_this_turn = [this] { turn_wanted = true; },
                     .call_in_next_turn = [this] { turn_wanted = true; }}};

  void turn() {
    turn_wanted = false;
    shares.run_turn();
  }
};

// Work that comes in pieces of the same length.
struct Work final : FairWaiter {
  Work(World& in, SharedFlow of, Duration each, int pieces)
      : world(in), flow(std::move(of)), takes(each), left(pieces) {}
  ~Work() override { world.shares.remove(*this); }
  void want() {
    world.shares.note(flow, world.now);
    world.shares.enqueue(*this, flow);
  }
  bool run(size_t size) override {
    sizes.push_back(size);
    world.now = world.now + takes + stall;
    world.elsewhere += std::exchange(stall, {});
    taken += takes;
    ended_at = world.now;
    return --left > 0;
  }

  World& world;
  const SharedFlow flow;
  const Duration takes;
  int left;
  Duration stall{};  // of the next piece
  Duration taken{};
  Instant ended_at;
  std::vector<size_t> sizes;
};

// What a connection of a loop that need not queue does: it is only measured.
void serve_unqueued(World& world, const SharedFlow& flow, FairAccount& account, Duration took) {
  world.shares.note(flow, world.now);
  const bool measures = FairShares::measures(*flow, account);
  world.now = world.now + took;
  if (measures) world.shares.measured(*flow, account, took);
}

SharedFlow flow_of(int64_t weight) {
  auto flow = std::make_shared<FairFlow>(std::make_shared<FairFlow::Count>(0));
  flow->set_limits(weight, 0);
  return flow;
}

TEST_CASE("One flow alone never queues; the second one makes both") {
  World world;
  const SharedFlow a = flow_of(1);
  const SharedFlow b = flow_of(3);
  world.shares.note(a, world.now);
  CHECK_FALSE(world.shares.contended());
  CHECK(world.shares.share_of(1) == 1);
  world.shares.note(b, world.now);
  CHECK(world.shares.contended());
  CHECK(world.shares.share_of(1) == doctest::Approx(0.25));
  CHECK(world.shares.share_of(3) == doctest::Approx(0.75));
  // Connections that are nobody's yet queue with the others, and take no part of theirs.
  const auto strangers = std::make_shared<FairFlow>();
  world.shares.note(strangers, world.now);
  CHECK(world.shares.share_of(1) == doctest::Approx(0.25));
  // One of them is quiet for a while.
  for (int i = 0; i < 12; ++i) {
    world.now = world.now + milliseconds(100);
    world.shares.note(a, world.now);
  }
  CHECK_FALSE(world.shares.contended());
  world.shares.note(strangers, world.now);
  CHECK(world.shares.contended());
  CHECK(world.shares.share_of(1) == 1);
  world.shares.note(b, world.now);
  CHECK(world.shares.contended());
}

TEST_CASE("A thousand pieces of another tenant delay one by no more than a turn's budget") {
  World world;
  const SharedFlow greedy = flow_of(1);
  const SharedFlow modest = flow_of(1);
  std::vector<std::unique_ptr<Work>> crowd;
  for (int i = 0; i < 1000; ++i) {
    crowd.push_back(std::make_unique<Work>(world, greedy, microseconds(50), 1 << 20));
    crowd.back()->want();
  }
  for (int i = 0; i < 100; ++i) {
    Work small(world, modest, microseconds(5), 1);
    small.want();
    const Instant asked = world.now;
    world.turn();
    if (i == 0) world.turn();  // behind another one who has just come
    CHECK(small.left == 0);
    // Before everybody else, once it is known who asks for less.
    if (i > 0) CHECK(small.ended_at - asked == microseconds(5));
    CHECK(world.now - asked < FairShares::turn_budget_max + microseconds(50));
    // While the modest one asks nothing, turns are shorter still.
    const Instant idle = world.now;
    world.turn();
    CHECK(world.now - idle < FairShares::turn_budget + microseconds(50));
  }
  // And nobody of the crowd is served twice before all were served once.
  const auto served = [](const auto& work) { return work->sizes.size(); };
  CHECK(served(*std::ranges::max_element(crowd, {}, served)) -
            served(*std::ranges::min_element(crowd, {}, served)) <=
        1);
}

TEST_CASE("Turns are long, and nobody's work is short, where all tenants want all they can get") {
  World world;
  const std::vector<SharedFlow> flows{flow_of(1), flow_of(1), flow_of(2)};
  std::vector<std::unique_ptr<Work>> crowd;
  for (int i = 0; i < 24; ++i) {
    const SharedFlow& flow = flows[static_cast<size_t>(i % 3)];
    crowd.push_back(std::make_unique<Work>(world, flow, microseconds(20), 1 << 20));
    crowd.back()->want();
  }
  const auto length_of_turn = [&world] {
    const Instant begins = world.now;
    world.turn();
    return world.now - begins;
  };
  const auto turns_within = [&](Duration shortest, Duration longest, int count) {
    for (int i = 0; i < count; ++i) {
      const Duration length = length_of_turn();
      CHECK(length >= shortest);
      CHECK(length <= longest + microseconds(20));
    }
  };
  // Who has just come is not yet known to want much.
  CHECK(world.shares.share_of(1) == doctest::Approx(0.25));
  turns_within({}, FairShares::turn_budget, 1);
  for (int i = 0; i < 1000 && world.shares.share_of(1) < 1; ++i) world.turn();
  turns_within(longest_turn - microseconds(20), longest_turn, 100);
  CHECK(world.shares.share_of(1) == 1);

  // Somebody comes who wants little, from the first moment and as long as he does.
  const SharedFlow modest = flow_of(1);
  for (int i = 0; i < 1000; ++i) {
    Work small(world, modest, microseconds(5), 1);
    small.want();
    turns_within({}, FairShares::turn_budget, 1);
    CHECK(world.shares.share_of(1) == doctest::Approx(0.2));
    CHECK(small.left == 0);
    turns_within({}, FairShares::turn_budget, 3);
  }
  // And strangers who wait, but not those who have been here.
  world.now = world.now + FairShares::active_time;
  for (const auto& work : crowd) world.shares.note(work->flow, world.now);
  world.turn();
  turns_within(longest_turn - microseconds(20), longest_turn, 100);
  Work probe(world, std::make_shared<FairFlow>(), microseconds(5), 1);
  probe.want();
  turns_within({}, FairShares::turn_budget, 1);
  CHECK(probe.left == 0);
  world.turn();
  // A part of each turn is earned for them all the same.
  turns_within(longest_turn * 3 / 4, longest_turn, 100);
}

TEST_CASE("Turns are less long where the connections of a tenant use its time unevenly") {
  World world;
  const SharedFlow uneven = flow_of(1);
  const SharedFlow other = flow_of(1);
  std::vector<std::unique_ptr<Work>> crowd;
  for (int i = 0; i < 16; ++i) {
    crowd.push_back(
        std::make_unique<Work>(world, i % 2 == 0 ? uneven : other, microseconds(20), 1 << 20));
    crowd.back()->want();
  }
  Duration longest{};
  FairAccount little;
  for (int i = 0; i < 2000; ++i) {
    const Instant begins = world.now;
    world.turn();
    if (i > 1000) longest = std::max(longest, world.now - begins);
    if (i % 10 == 0) world.shares.charge(*uneven, little, microseconds(1));
    for (const auto& work : crowd) world.shares.note(work->flow, world.now);
  }
  CHECK(longest >= FairShares::turn_budget_max);
  CHECK(longest <= FairShares::turn_budget_max + microseconds(20));
}

TEST_CASE("Who always wants gets time in proportion to the weight") {
  World world;
  std::vector<std::unique_ptr<Work>> all;
  all.push_back(std::make_unique<Work>(world, flow_of(1), microseconds(30), 1 << 20));
  all.push_back(std::make_unique<Work>(world, flow_of(2), microseconds(7), 1 << 20));
  all.push_back(std::make_unique<Work>(world, flow_of(5), microseconds(90), 1 << 20));
  for (const auto& work : all) work->want();
  const Instant start = world.now;
  for (int i = 0; i < 8000; ++i) world.turn();
  const double took = static_cast<double>((world.now - start).count());
  CHECK(static_cast<double>(all[0]->taken.count()) / took ==
        doctest::Approx(1.0 / 8).epsilon(0.02));
  CHECK(static_cast<double>(all[1]->taken.count()) / took ==
        doctest::Approx(2.0 / 8).epsilon(0.02));
  CHECK(static_cast<double>(all[2]->taken.count()) / took ==
        doctest::Approx(5.0 / 8).epsilon(0.02));
}

TEST_CASE("A piece that takes far too long is paid back, and nothing is left idle meanwhile") {
  World world;
  const SharedFlow slow = flow_of(1);
  const SharedFlow quick = flow_of(1);
  Work giant(world, slow, milliseconds(100), 2);
  Work many(world, quick, microseconds(20), 1 << 20);
  giant.want();
  many.want();
  world.turn();
  CHECK(giant.left == 1);
  const Duration before = many.taken;
  while (giant.left == 1) world.turn();
  CHECK(many.taken - before >= milliseconds(99));
  CHECK(many.taken - before <= milliseconds(101));

  // Alone, who owes does not wait for turns to go by.
  Work again(world, slow, microseconds(1), 1);
  world.shares.remove(many);
  again.want();
  world.turn();
  CHECK(again.left == 0);
}

TEST_CASE("Pieces become as long as fits a turn") {
  World world;
  Work small(world, flow_of(1), microseconds(1), 40);
  Work large(world, flow_of(1), microseconds(250), 10);
  small.want();
  large.want();
  while (world.turn_wanted) world.turn();
  CHECK(small.sizes.back() == 64 << 10);
  CHECK(large.sizes.back() == 512);
}

TEST_CASE("Of one tenant's connections, who uses little does not wait for those who use much") {
  World world;
  const SharedFlow flow = flow_of(1);
  std::vector<std::unique_ptr<Work>> crowd;
  for (int i = 0; i < 100; ++i) {
    crowd.push_back(std::make_unique<Work>(world, flow, microseconds(90), 1 << 20));
    crowd.back()->want();
  }
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
  World world;
  const SharedFlow flow = flow_of(1);
  Work giant(world, flow, milliseconds(50), 10);
  Work other(world, flow, microseconds(80), 1 << 20);
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
  World world;
  const SharedFlow flow = flow_of(1);
  std::vector<std::unique_ptr<Work>> crowd;
  for (int i = 0; i < 64; ++i) {
    crowd.push_back(std::make_unique<Work>(world, flow, microseconds(80), 1 << 20));
    crowd.back()->want();
  }
  Work unlucky(world, flow, microseconds(80), 1 << 20);
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
  World world;
  const SharedFlow flow = flow_of(1);
  std::vector<std::unique_ptr<Work>> crowd;
  for (int i = 0; i < 64; ++i) {
    crowd.push_back(std::make_unique<Work>(world, flow, microseconds(80), 1 << 20));
    crowd.back()->want();
  }
  Work giant(world, flow, milliseconds(300), 2);
  giant.want();
  while (giant.left == 2) world.turn();
  const Instant served_at = world.now;
  while (giant.left == 1) world.turn();
  CHECK(giant.ended_at - giant.takes - served_at >= milliseconds(900));
  CHECK(giant.ended_at - giant.takes - served_at <= milliseconds(1100));
}

TEST_CASE("A flood of fresh connections gets no more than one connection does") {
  World world;
  const SharedFlow flow = flow_of(1);
  const auto strangers = std::make_shared<FairFlow>();
  Work modest(world, flow, microseconds(20), 1);
  FairShares::settle(modest, *flow);
  std::vector<std::unique_ptr<Work>> flood;
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
  World world;
  const auto strangers = std::make_shared<FairFlow>();
  // Three steps of a handshake each; a new one comes with every turn.
  Work honest(world, strangers, microseconds(400), 3);
  std::vector<std::unique_ptr<Work>> flood;
  for (int i = 0; i < 20; ++i) {
    flood.push_back(std::make_unique<Work>(world, strangers, microseconds(400), 3));
    flood.back()->want();
  }
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
  World world;
  const SharedFlow flow = flow_of(1);
  Work connection(world, flow, microseconds(50), 1 << 20);
  std::vector<std::unique_ptr<Work>> lists;
  for (int i = 0; i < 9; ++i) {
    lists.push_back(std::make_unique<Work>(world, flow, microseconds(50), 1 << 20));
    lists.back()->pay_from(connection.account());
    lists.back()->want();
  }
  Work other(world, flow, microseconds(50), 1 << 20);
  other.want();
  const Instant start = world.now;
  for (int i = 0; i < 2000; ++i) world.turn();
  CHECK(static_cast<double>(other.taken.count()) /
            static_cast<double>((world.now - start).count()) ==
        doctest::Approx(0.5).epsilon(0.05));
}

TEST_CASE("A tenant alone queues while its connections use the loop unevenly, and only then") {
  World world;
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
  World world;
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
  World world;
  const SharedFlow a = flow_of(1);
  const SharedFlow b = flow_of(1);
  Work busy_a(world, a, microseconds(50), 1 << 20);
  Work busy_b(world, b, microseconds(50), 1 << 20);
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

TEST_CASE("A tenant has only so many connections, over all loops") {
  const auto count = std::make_shared<FairFlow::Count>(0);
  FairFlow here(count);
  FairFlow there(count);
  here.set_limits(1, 2);
  there.set_limits(1, 2);
  CHECK(here.take_connection());
  CHECK(there.take_connection());
  CHECK_FALSE(here.take_connection());
  there.leave_connection();
  CHECK(here.take_connection());
  here.set_limits(1, 0);
  CHECK(here.take_connection());
  CHECK(*count == 3);
}

}  // namespace
}  // namespace lattice::proxy
