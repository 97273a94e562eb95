// The Lock and Election services through a real socket.
#include "proto/v3election.pb.h"
#include "proto/v3lock.pb.h"
#include "server/running_server.h"

namespace lattice::server::testing {
namespace {

int64_t grant(TestClient& client) {
  etcdserverpb::LeaseGrantRequest request;
  request.set_ttl(60);
  return ask<etcdserverpb::LeaseGrantResponse>(client, "/etcdserverpb.Lease/LeaseGrant", request)
      .id();
}

v3lockpb::LockRequest lock_request(const std::string& name, int64_t lease) {
  v3lockpb::LockRequest request;
  request.set_name(name);
  request.set_lease(lease);
  return request;
}

TEST_CASE("a lock is handed on in the order of asking") {
  RunningServer server;
  TestClient client(server.address());
  const int64_t first = grant(client), second = grant(client);
  auto held = ask<v3lockpb::LockResponse>(client, "/v3lockpb.Lock/Lock", lock_request("l", first));
  char key[64];
  std::snprintf(key, sizeof key, "l/%llx", static_cast<unsigned long long>(first));
  CHECK(held.key() == key);
  // The same lease again holds it already.
  auto again = ask<v3lockpb::LockResponse>(client, "/v3lockpb.Lock/Lock", lock_request("l", first));
  CHECK(again.key() == held.key());

  Stream<v3lockpb::LockResponse> waiting(client, "/v3lockpb.Lock/Lock");
  waiting.send(lock_request("l", second));
  waiting.half_close();
  CHECK(waiting.silent());
  v3lockpb::UnlockRequest unlock;
  unlock.set_key(held.key());
  ask<v3lockpb::UnlockResponse>(client, "/v3lockpb.Lock/Unlock", unlock);
  CHECK(waiting.next().key() != held.key());
  CHECK(waiting.status() == "0 ");
}

TEST_CASE("a waiter that leaves gives up its place") {
  RunningServer server;
  TestClient client(server.address());
  auto held =
      ask<v3lockpb::LockResponse>(client, "/v3lockpb.Lock/Lock", lock_request("l", grant(client)));
  Stream<v3lockpb::LockResponse> waiting(client, "/v3lockpb.Lock/Lock");
  waiting.send(lock_request("l", grant(client)));
  CHECK(waiting.silent());
  CHECK(get(client, "l/", "l0").count() == 2);
  waiting.cancel();
  client.wait_until([&] { return get(client, "l/", "l0").count() == 1; });
  CHECK(get(client, "l/", "l0").count() == 1);
}

TEST_CASE("errors of the lock service are Unknown with etcd's text") {
  RunningServer server;
  TestClient client(server.address());
  CHECK(refusal(client, "/v3lockpb.Lock/Lock", lock_request("l", 4711)) ==
        "2 etcdserver: requested lease not found");
}

TEST_CASE("an election: campaign, proclaim, observe, resign") {
  RunningServer server;
  TestClient client(server.address());
  v3electionpb::LeaderRequest who;
  who.set_name("e");
  CHECK(refusal(client, "/v3electionpb.Election/Leader", who) == "2 election: no leader");
  Stream<v3electionpb::LeaderResponse> observer(client, "/v3electionpb.Election/Observe");
  observer.send(who);

  v3electionpb::CampaignRequest campaign;
  campaign.set_name("e");
  campaign.set_value("one");
  campaign.set_lease(grant(client));
  auto won =
      ask<v3electionpb::CampaignResponse>(client, "/v3electionpb.Election/Campaign", campaign);
  CHECK(won.leader().name() == "e");
  CHECK(won.leader().rev() == 2);
  CHECK(observer.next().kv().value() == "one");

  campaign.set_value("two");
  campaign.set_lease(grant(client));
  Stream<v3electionpb::CampaignResponse> rival(client, "/v3electionpb.Election/Campaign");
  rival.send(campaign);
  rival.half_close();
  CHECK(rival.silent());

  v3electionpb::ProclaimRequest proclaim;
  CHECK(refusal(client, "/v3electionpb.Election/Proclaim", proclaim) ==
        "2 \"leader\" field must be provided");
  *proclaim.mutable_leader() = won.leader();
  proclaim.set_value("one again");
  ask<v3electionpb::ProclaimResponse>(client, "/v3electionpb.Election/Proclaim", proclaim);
  CHECK(observer.next().kv().value() == "one again");
  auto leader = ask<v3electionpb::LeaderResponse>(client, "/v3electionpb.Election/Leader", who);
  CHECK(leader.kv().value() == "one again");

  v3electionpb::ResignRequest resign;
  *resign.mutable_leader() = won.leader();
  ask<v3electionpb::ResignResponse>(client, "/v3electionpb.Election/Resign", resign);
  CHECK(rival.next().leader().name() == "e");
  CHECK(observer.next().kv().value() == "two");
  // Stale: a proclamation fails, a resignation changes nothing.
  CHECK(refusal(client, "/v3electionpb.Election/Proclaim", proclaim) == "2 election: not leader");
  ask<v3electionpb::ResignResponse>(client, "/v3electionpb.Election/Resign", resign);
  leader = ask<v3electionpb::LeaderResponse>(client, "/v3electionpb.Election/Leader", who);
  CHECK(leader.kv().value() == "two");
}

}  // namespace
}  // namespace lattice::server::testing
