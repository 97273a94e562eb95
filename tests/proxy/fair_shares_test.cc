// Which of several tenants that want a loop is served, on a clock of the test's own.
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

constexpr Duration longest_turn = milliseconds(2);

TEST_CASE("One flow alone never queues; the second one makes both") {
  FairWorld world;
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
  FairWorld world;
  const SharedFlow greedy = flow_of(1);
  const SharedFlow modest = flow_of(1);
  const Crowd crowd = crowd_of(world, {greedy}, microseconds(50), 1000);
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
  FairWorld world;
  const std::vector<SharedFlow> flows{flow_of(1), flow_of(1), flow_of(2)};
  const Crowd crowd = crowd_of(world, flows, microseconds(20), 24);
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
  FairWorld world;
  const SharedFlow uneven = flow_of(1);
  const SharedFlow other = flow_of(1);
  const Crowd crowd = crowd_of(world, {uneven, other}, microseconds(20), 16);
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
  FairWorld world;
  Crowd all;
  all.push_back(std::make_unique<Work>(world, flow_of(1), microseconds(30), endless));
  all.push_back(std::make_unique<Work>(world, flow_of(2), microseconds(7), endless));
  all.push_back(std::make_unique<Work>(world, flow_of(5), microseconds(90), endless));
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
  FairWorld world;
  const SharedFlow slow = flow_of(1);
  const SharedFlow quick = flow_of(1);
  Work giant(world, slow, milliseconds(100), 2);
  Work many(world, quick, microseconds(20), endless);
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
  FairWorld world;
  Work small(world, flow_of(1), microseconds(1), 40);
  Work large(world, flow_of(1), microseconds(250), 10);
  small.want();
  large.want();
  while (world.turn_wanted) world.turn();
  CHECK(small.sizes.back() == 64 << 10);
  CHECK(large.sizes.back() == 512);
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
