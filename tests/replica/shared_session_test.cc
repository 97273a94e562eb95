// Several tenants' replicas in one process, under one session.
#include "replica/pair.h"

namespace lattice::replica {
namespace {

struct TwoTenants : Pair {
  TwoTenants() : Pair(/*with_other=*/true) {
    run_until([&] {
      return std::ranges::any_of(nodes, [](Node& node) { return node.other->can_linearize(); });
    });
    world.run_for(std::chrono::seconds(1));
  }
  // Both tenants are led by the first process, which the second follows.
  void let_first_lead() {
    for (std::unique_ptr<Replica>* replica : {&nodes[1].replica, &nodes[1].other}) {
      REQUIRE(stop(**replica).ok());
      replica->reset();
    }
    run_until([&] { return nodes[0].replica->can_linearize() && nodes[0].other->can_linearize(); });
    nodes[1].replica = load(nodes[1], "default");
    nodes[1].other = load(nodes[1], "other");
    world.run_for(std::chrono::seconds(1));
  }
  size_t sessions() {
    std::optional<size_t> rows;
    nodes[0].membership->sessions->list(
        [&](const Result<std::vector<SessionRow>>& list) { rows = list->size(); });
    run_until([&] { return rows.has_value(); });
    return *rows;
  }
};

}  // namespace

TEST_CASE("a process has one session, however many tenants it serves") {
  TwoTenants f;
  CHECK(f.sessions() == 2);
}

TEST_CASE("followers learn by the session how far each log is committed") {
  TwoTenants f;
  Replica& leader = *f.leader()->replica;
  Replica& other = f.nodes[0].other->leads() ? *f.nodes[0].other : *f.nodes[1].other;
  REQUIRE(f.put(leader, "a").ok());
  REQUIRE(f.put(leader, "b").ok());
  REQUIRE(f.put(other, "a").ok());
  f.run_until([&] {
    return std::ranges::all_of(f.nodes, [](Pair::Node& node) {
      return node.replica->applied_revision() == Revision(3) &&
             node.other->applied_revision() == Revision(2);
    });
  });
}

TEST_CASE("a session that is declared dead ends the leadership of all its tenants") {
  TwoTenants f;
  f.let_first_lead();
  Pair::Node& first = f.nodes[0];
  Pair::Node& second = f.nodes[1];
  const uint64_t epochs[] = {first.replica->epoch(), first.other->epoch()};
  const Incarnation dead = first.membership->session.incarnation();
  f.declare_dead(dead);
  f.run_until([&] { return !first.replica->leads() && !first.other->leads(); });
  CHECK(first.membership->session.incarnation() != dead);
  f.run_until([&] {
    return (first.replica->can_linearize() || second.replica->can_linearize()) &&
           (first.other->can_linearize() || second.other->can_linearize());
  });
  f.world.run_for(std::chrono::seconds(1));
  CHECK(first.membership->session.valid());
  CHECK(first.replica->epoch() == epochs[0] + 1);
  CHECK(first.other->epoch() == epochs[1] + 1);
}

TEST_CASE("all tenants of a process that dies are led by another within two seconds") {
  TwoTenants f;
  f.let_first_lead();
  f.nodes[0].die();
  const int64_t died = f.world.now();
  f.run_until(
      [&] { return f.nodes[1].replica->can_linearize() && f.nodes[1].other->can_linearize(); });
  CHECK(f.world.now() - died < Duration(std::chrono::seconds(2)).count());
}

TEST_CASE("a tenant that is unloaded is free for others at once, while its process lives") {
  TwoTenants f;
  Pair::Node& first = *f.leader();
  Pair::Node& second = f.standby();
  REQUIRE(f.put(first, "k").ok());
  const Incarnation before = first.membership->session.incarnation();
  REQUIRE(f.stop(*first.replica).ok());
  const int64_t stopped = f.world.now();
  first.replica.reset();
  f.run_until([&] { return second.replica->can_linearize(); });
  CHECK(f.world.now() - stopped < Duration(std::chrono::milliseconds(500)).count());
  CHECK(first.membership->session.incarnation() == before);
  CHECK(first.membership->session.valid());
  CHECK((first.other->leads() || second.other->leads()));
  CHECK(second.replica->applied_revision() == Revision(2));
  REQUIRE(f.put(second, "k").ok());
}

TEST_CASE("a tenant that nobody has loaded is led at once by who loads it") {
  TwoTenants f;
  Pair::Node& first = *f.leader();
  REQUIRE(f.put(first, "k").ok());
  REQUIRE(f.stop(*f.standby().replica).ok());
  f.standby().replica.reset();
  for (int i = 0; i < 3; ++i) {
    REQUIRE(f.stop(*first.replica).ok());
    first.replica.reset();
    f.world.run_for(std::chrono::seconds(2));
    first.replica = f.load(first, "default");
    const int64_t began = f.world.now();
    f.run_until([&] { return first.replica->can_linearize(); });
    CHECK(f.world.now() - began < Duration(std::chrono::milliseconds(5)).count());
    CHECK(first.replica->applied_revision() == Revision(2 + i));
    REQUIRE(f.put(first, "k").ok());
  }
}

TEST_CASE("a replica that could not resign leads again when it is back") {
  TwoTenants f;
  Pair::Node& first = *f.leader();
  REQUIRE(f.put(first, "k").ok());
  first.replica.reset();  // without a word
  f.world.run_for(std::chrono::seconds(5));
  // Its process's session is named in the log, and lives.
  CHECK(f.leader() == nullptr);
  first.replica = f.load(first, "default");
  f.run_until([&] { return first.replica->can_linearize(); });
  CHECK(first.replica->applied_revision() == Revision(2));
}

TEST_CASE("a session that is released lets others take over all its tenants at once") {
  TwoTenants f;
  Pair::Node& first = *f.leader();
  Pair::Node& second = f.standby();
  first.replica.reset();
  first.other.reset();
  const int64_t released = f.world.now();
  first.membership->session.release([](const Status&) {});
  f.run_until([&] { return second.replica->can_linearize() && second.other->can_linearize(); });
  CHECK(f.world.now() - released < Duration(std::chrono::milliseconds(500)).count());
}

TEST_CASE("all that wait for the clock of looks are called in one turn, those that went not") {
  sim::SimWorld world(3);
  sim::SimProcess process(world);
  sim::SimEnvironment environment(process);
  const Duration interval = std::chrono::milliseconds(200);
  PollClock clock(environment, interval);
  std::vector<int64_t> called;
  std::unique_ptr<Timer> timers[4];
  const auto wait = [&](std::unique_ptr<Timer>& timer) {
    timer = clock.at_next([&] { called.push_back(world.now()); });
  };
  wait(timers[0]);
  world.run_for(std::chrono::milliseconds(10));
  for (auto& timer : timers) wait(timer);
  const int64_t began = world.now();
  timers[3].reset();
  world.run_for(2 * interval);
  REQUIRE(called.size() == 3);
  CHECK(called.front() == called.back());
  CHECK(called.front() - began >= (interval / 2).count());
  CHECK(called.front() - began <= (interval * 3 / 2).count() + 10'000);
  // Whoever waits again is called an interval later.
  timers[0] = clock.at_next([&] { wait(timers[0]); });
  world.run_for(interval * 3);
  REQUIRE(called.size() == 4);
  CHECK((called[3] - called[0]) % interval.count() < 100'000);
}

}  // namespace lattice::replica
