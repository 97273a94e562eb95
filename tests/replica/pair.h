// Two processes that share a database, each with a replica of the tenant "default" and, if wanted,
// one of the tenant "other", under one session. Thread: one.
#pragma once

#include "replica/fixture.h"

namespace lattice::replica {

struct Pair {
  explicit Pair(bool with_other = false)
      : world(7), process(world), environment(process), store(environment, {.exclusive = false}) {
    for (Node& node : nodes) {
      node.membership =
          std::make_unique<Membership>(Options(), environment, store.open_sessions(environment));
      node.replica = load(node, "default");
      if (with_other) node.other = load(node, "other");
    }
    run_until([&] { return leader() != nullptr; });
  }

  struct Node {
    void die() {
      replica.reset();
      other.reset();
      membership.reset();
    }
    std::unique_ptr<Membership> membership;
    std::unique_ptr<Replica> replica;
    std::unique_ptr<Replica> other;
  };
  std::unique_ptr<Replica> load(Node& node, std::string_view tenant) {
    auto replica =
        std::make_unique<Replica>(Options(), environment, store.open_log(tenant, environment),
                                  Links{.session = &node.membership->session}, nullptr);
    replica->start();
    return replica;
  }
  void run_until(const std::function<bool()>& done) {
    const int64_t until = world.now() + Duration(std::chrono::seconds(30)).count();
    while (!done() && world.step(until)) {
    }
    REQUIRE(done());
  }
  Node* leader() {
    for (Node& node : nodes) {
      if (node.replica != nullptr && node.replica->can_linearize()) return &node;
    }
    return nullptr;
  }
  Node& standby() { return leader() == &nodes[0] ? nodes[1] : nodes[0]; }
  Result<keyspace::PutResult> put(Replica& replica, std::string key) {
    Answer<keyspace::PutResult> answer;
    replica.put(put_request(std::move(key), "v"), answer.callback());
    run_until([&] { return answer.given(); });
    return std::move(*answer);
  }
  Result<keyspace::PutResult> put(Node& node, std::string key) {
    return put(*node.replica, std::move(key));
  }
  Status stop(Replica& replica) {
    std::optional<Status> stopped;
    replica.stop([&](const Status& status) { stopped = status; });
    run_until([&] { return stopped.has_value(); });
    return *stopped;
  }
  // As a challenger does that has seen it stand still.
  void declare_dead(const Incarnation& incarnation) {
    const auto challenger = store.open_sessions(environment);
    for (bool declared = false; !declared;) {
      int64_t renewals = 0;
      challenger->read(incarnation, {}, [&](const Result<std::optional<SessionRow>>& row) {
        renewals = (*row)->renewals;
      });
      world.run_for(std::chrono::milliseconds(1));
      challenger->declare_dead(incarnation, renewals,
                               [&](const Result<bool>& done) { declared = *done; });
      world.run_for(std::chrono::milliseconds(1));
    }
  }

  sim::SimWorld world;
  sim::SimProcess process;
  sim::SimEnvironment environment;
  backends::MemoryStore store;
  Node nodes[2];
};

}  // namespace lattice::replica
