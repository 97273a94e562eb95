// Who is served when several want a loop, on a clock of the test's own.
#include "proxy/fair_shares.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace lattice::proxy {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// A loop that does nothing but fair turns.
struct World {
  Instant now{1'000'000'000};
  bool turn_wanted = false;
  FairShares shares{{.now = [this] { return now; },
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
    world.now = world.now + takes;
    taken += takes;
    ended_at = world.now;
    return --left > 0;
  }

  World& world;
  const SharedFlow flow;
  const Duration takes;
  int left;
  Duration taken{};
  Instant ended_at;
  std::vector<size_t> sizes;
};

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
