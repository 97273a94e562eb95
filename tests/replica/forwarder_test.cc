// What becomes of calls for the leader while leaders change.
#include "replica/forwarder.h"

#include <doctest/doctest.h>

#include "replica/fixture.h"

namespace lattice::replica {
namespace {

struct FakePeers final : Peers {
  void call(const std::string&, PeerRequest, Callback<PeerReply> done) override {
    sent.push_back(std::move(done));
  }
  std::vector<Callback<PeerReply>> sent;
};

struct FakeHost final : LeaderHost {
  std::string leader_address() const override { return "leader"; }
  void on_announced(const Position&) override {}
  void on_leader_doubtful() override { ++doubts; }
  Patience patience() const override { return {std::chrono::seconds(7), Error::no_leader}; }
  int doubts = 0;
};

struct World {
  Answer<PeerAnswer> add() {
    Answer<PeerAnswer> answer;
    forwarder.add({environment().now(), LeaseKeepAliveCall{LeaseId(1)}, answer.callback()});
    return answer;
  }
  // The newest call is refused by a node that does not lead.
  void refuse() {
    PeerReply reply;
    reply.answer = Error::not_leader;
    peers.sent.back()(std::move(reply));
  }
  Environment& environment() { return fixture.environment; }

  Fixture fixture;
  Observer silent;
  std::unique_ptr<Log> log = fixture.store.open_log("other", fixture.environment);
  State state{fixture.options, fixture.environment, *log, silent};
  FakePeers peers;
  FakeHost host;
  Forwarder forwarder{state, peers, host};
};

TEST_CASE("a call that a node refused is sent again a little later") {
  World world;
  const Answer<PeerAnswer> answer = world.add();
  REQUIRE(world.peers.sent.size() == 1);
  world.refuse();
  CHECK(world.host.doubts == 1);
  // What comes meanwhile waits, too.
  (void)world.add();
  CHECK(world.peers.sent.size() == 1);
  world.fixture.run_for(std::chrono::milliseconds(30));
  CHECK(world.peers.sent.size() == 3);
  CHECK_FALSE(answer.given());
}

TEST_CASE("who led meanwhile, and answered what waited, sends again once it follows") {
  World world;
  (void)world.add();
  world.refuse();
  CHECK(world.forwarder.take_waiting().size() == 1);
  world.fixture.run_for(std::chrono::milliseconds(30));  // nothing is left to be tried again
  CHECK(world.peers.sent.size() == 1);
  (void)world.add();
  CHECK(world.peers.sent.size() == 2);
}

}  // namespace
}  // namespace lattice::replica
