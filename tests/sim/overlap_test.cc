// Two appends that overlap, one step at a time: a replica on a simulated database that is slow but
// breaks nothing.
#include <doctest/doctest.h>

#include "sim/cluster.h"

namespace lattice::sim {
namespace {

using keyspace::DeleteRangeRequest;
using keyspace::PutRequest;

struct Bench {
  Bench() {
    Faults& faults = node.faults();
    faults = {0, 0, 0, 0, 0, 0, false};
    node.start();
    world.run_for(std::chrono::seconds(1));
    REQUIRE(node.replica()->can_linearize());
  }

  // Calls in a turn of its own; the answer's revision goes to `answers`, 0 for an error.
  template <class Call>
  void soon(Call call) {
    node.environment().defer(std::move(call));
  }
  auto note(const char* name) {
    return [this, name](const auto& result) {
      answers.push_back({name, result.ok() ? header(*result) : 0});
    };
  }
  void put(const char* name, std::string key) {
    PutRequest request;
    request.key = std::move(key);
    request.value = name;
    node.replica()->put(std::move(request), note(name));
  }
  uint64_t overlaps() const { return probes.count("two appends overlapped"); }

  template <class T>
  static int64_t header(const T& result) {
    return result.header_revision.value;
  }

  using Answers = std::vector<std::pair<std::string, int64_t>>;
  SimWorld world{1};
  SimDatabase database{world};
  Probes probes;
  Node node{world, database, probes, true, {}};
  Answers answers;
};

}  // namespace

TEST_CASE("a batch of key changes is followed while it is in flight") {
  Bench bench;
  bench.put("first", "k");
  bench.soon([&] { bench.soon([&] { bench.put("second", "k"); }); });
  bench.world.run_for(std::chrono::seconds(1));
  CHECK(bench.overlaps() == 1);
  CHECK(bench.answers == Bench::Answers{{"first", 2}, {"second", 3}});
}

TEST_CASE("a batch with a lease is not followed") {
  Bench bench;
  bench.node.replica()->lease_grant(LeaseId(7), 60, bench.note("grant"));
  bench.soon([&] { bench.soon([&] { bench.put("put", "k"); }); });
  bench.world.run_for(std::chrono::seconds(1));
  CHECK(bench.overlaps() == 0);
  CHECK(bench.answers == Bench::Answers{{"grant", 1}, {"put", 2}});
}

TEST_CASE("an operation without records waits for what it may have seen in flight") {
  Bench bench;
  bench.put("put", "k");
  bench.soon([&] {
    bench.soon([&] {
      DeleteRangeRequest request;
      request.range = {"other", ""};
      bench.node.replica()->delete_range(std::move(request), bench.note("delete"));
    });
  });
  bench.world.run_for(std::chrono::seconds(1));
  CHECK(bench.overlaps() == 0);
  CHECK(bench.answers == Bench::Answers{{"put", 2}, {"delete", 2}});
}

TEST_CASE("what follows a refused batch is evaluated again") {
  Bench bench;
  bench.database.full = true;
  bench.put("first", "k");
  bench.soon([&] { bench.soon([&] { bench.put("second", "k"); }); });
  // Both were sent when the database was full; the second is tried once more when it is not.
  bench.soon([&] { bench.soon([&] { bench.soon([&] { bench.database.full = false; }); }); });
  bench.world.run_for(std::chrono::seconds(1));
  CHECK(bench.overlaps() == 1);
  CHECK(bench.answers == Bench::Answers{{"first", 0}, {"second", 2}});
}

}  // namespace lattice::sim
