// What happens when the database loses what was acknowledged (log-protocol H3, reliability.md 52).
#include <doctest/doctest.h>

#include <map>

#include "sim/quiet_cluster.h"

namespace lattice::sim {
namespace {

constexpr int64_t jump = 1'000'000'000;

class Sink : public replica::WatchSink {
 public:
  void on_created(WatchId, Revision, replica::WatchRefusal) override {}
  void on_events(WatchId, Revision, bool, replica::WatchEvents events) override {
    count += events->size();
  }
  void on_progress(WatchId, Revision) override {}
  void on_compacted(WatchId, Revision revision) override { compacted = revision.value; }
  void on_canceled(WatchId, Revision) override {}
  void on_closed(Status) override { closed = true; }
  bool ended() const { return closed || compacted > 0; }

  size_t count = 0;
  int64_t compacted = 0;
  bool closed = false;
};

struct Trio : QuietCluster {
  explicit Trio(bool with_fanout = true) : QuietCluster(3, 7, with_fanout, /*asynchronous=*/true) {}

  // Every node shows the same, and nothing of what was lost.
  void check_agreement(int64_t above) {
    std::map<uint32_t, int> hashes;
    for (auto& node : nodes) {
      CHECK(node->failure().empty());
      CHECK(node->replica()->applied_revision().value > above);
      const auto there = get(*node, "kept");
      REQUIRE(there.ok());
      CHECK(there->count == 1);
      CHECK(there->header_revision.value > above);
      const auto gone = get(*node, "lost");
      REQUIRE(gone.ok());
      CHECK(gone->count == 0);
      CHECK(get(*node, "kept", 2).error() == Error::compacted);
      node->replica()->hash_kv(Revision(0), [&](const Result<keyspace::HashResult>& hash) {
        if (hash.ok()) ++hashes[hash->hash];
      });
    }
    world.run_for(std::chrono::seconds(1));
    CHECK(hashes.size() == 1);
  }
};

replica::WatchCreate watch_all() {
  replica::WatchCreate create;
  create.range = {std::string(1, '\0'), std::string(1, '\0')};
  return create;
}

}  // namespace

TEST_CASE("a tail that was lost ends the history at every node") {
  for (const bool with_fanout : {true, false}) {
    CAPTURE(with_fanout);
    Trio f(with_fanout);
    REQUIRE(f.put(*f.leader(), "kept") == 2);
    std::vector<std::unique_ptr<Sink>> sinks;
    std::vector<std::unique_ptr<replica::WatchStream>> streams;
    for (auto& node : f.nodes) {
      sinks.push_back(std::make_unique<Sink>());
      streams.push_back(node->replica()->open_watch_stream(*sinks.back()));
      streams.back()->create(watch_all());
    }
    f.world.run_for(std::chrono::seconds(1));
    int64_t acknowledged = 0;
    for (int i = 0; i < 3; ++i) acknowledged = f.put(*f.follower(), "lost");
    REQUIRE(acknowledged == 5);
    f.world.run_for(std::chrono::seconds(1));
    const uint64_t epoch = f.leader()->replica()->epoch();

    f.database.fail_over_losing(3);
    const int64_t next = f.put(*f.nodes.front(), "new");
    CHECK(next > acknowledged + jump);
    f.world.run_for(std::chrono::seconds(4));
    f.check_agreement(acknowledged + jump - 1);
    for (auto& node : f.nodes) CHECK(node->replica()->epoch() > epoch);
    for (const auto& sink : sinks) CHECK(sink->ended());
  }
}

TEST_CASE("a loss that only a follower knows of is told to the leader") {
  Trio f;
  REQUIRE(f.put(*f.leader(), "kept") == 2);
  f.world.run_for(std::chrono::seconds(1));
  Node* witness = f.follower();
  REQUIRE(f.put(*f.leader(), "lost") == 3);
  f.world.run_for(std::chrono::seconds(1));
  // Only the witness survives the failover with its memory.
  for (auto& node : f.nodes) {
    if (node.get() != witness) node->crash();
  }
  witness->process().pause();
  f.database.asynchronous = false;  // nor does the server's timeline tell
  f.database.fail_over_losing(1);
  for (auto& node : f.nodes) {
    if (node.get() != witness) node->start();
  }
  f.world.run_for(std::chrono::seconds(4));
  REQUIRE(f.leader() != nullptr);
  CHECK(f.leader() != witness);
  CHECK(f.put(*f.leader(), "other") == 3);  // nobody knows yet
  witness->process().resume();
  f.world.run_for(std::chrono::seconds(4));
  f.check_agreement(3 + jump - 1);
}

TEST_CASE("another server than before is reason enough where commits need not be there") {
  Trio f;
  REQUIRE(f.put(*f.leader(), "kept") == 2);
  REQUIRE(f.put(*f.leader(), "lost") == 3);
  for (auto& node : f.nodes) node->crash();
  f.database.fail_over_losing(1);
  for (auto& node : f.nodes) node->start();
  f.world.run_for(std::chrono::seconds(4));
  f.check_agreement(2 + jump - 1);

  // The same server once more: no further jump.
  const int64_t before = f.nodes.front()->replica()->applied_revision().value;
  for (auto& node : f.nodes) node->crash();
  for (auto& node : f.nodes) node->start();
  f.world.run_for(std::chrono::seconds(4));
  CHECK(f.nodes.front()->replica()->applied_revision().value == before);
}

TEST_CASE("a server that was left behind shows too little, and that is no loss") {
  Trio f;
  REQUIRE(f.put(*f.leader(), "kept") == 2);
  REQUIRE(f.put(*f.leader(), "seen") == 3);
  f.world.run_for(std::chrono::seconds(1));
  Node* follower = f.follower();
  // The followers look at that server for a while, and cannot ask anybody.
  const auto cut_off = [&](bool off) {
    for (auto& node : f.nodes) f.network.host(node->ties().address).cut_off = off;
  };
  cut_off(true);
  f.database.conceal(1);
  f.world.run_for(std::chrono::seconds(1));
  CHECK_FALSE(follower->replica()->loaded());
  f.database.reveal();
  cut_off(false);
  f.world.run_for(std::chrono::seconds(2));
  CHECK(follower->replica()->loaded());
  CHECK(f.get(*follower, "seen")->count == 1);
  CHECK(f.put(*follower, "more") == 4);
}

TEST_CASE("a failover that lost nothing changes nothing for a leader that lived through it") {
  Trio f;
  REQUIRE(f.put(*f.leader(), "kept") == 2);
  f.database.fail_over_losing(0);
  f.world.run_for(std::chrono::seconds(3));
  CHECK(f.put(*f.follower(), "more") == 3);
}

}  // namespace lattice::sim
