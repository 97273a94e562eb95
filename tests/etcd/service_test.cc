// What the services do that no well-behaved client shows: early ends, late answers, bad streams.
#include <doctest/doctest.h>

#include "etcd/key_watch.h"
#include "etcd/service_world.h"
#include "proto/rpc.pb.h"
#include "proto/v3election.pb.h"
#include "proto/v3lock.pb.h"

namespace lattice::etcd {
namespace {

using proxy::GrpcCode;
using testing::ServiceWorld;

std::string put_bytes(const std::string& key, const std::string& value = "v") {
  etcdserverpb::PutRequest request;
  request.set_key(key);
  request.set_value(value);
  return request.SerializeAsString();
}

int64_t count(ServiceWorld& world, const std::string& prefix) {
  etcdserverpb::RangeRequest request;
  request.set_key(prefix);
  request.set_range_end(prefix_end(prefix));
  request.set_count_only(true);
  return world.ask<etcdserverpb::RangeResponse>("/etcdserverpb.KV/Range", request).count();
}

void erase(ServiceWorld& world, const std::string& key) {
  etcdserverpb::DeleteRangeRequest request;
  request.set_key(key);
  world.ask<etcdserverpb::DeleteRangeResponse>("/etcdserverpb.KV/DeleteRange", request);
}

TEST_CASE("every method of the API is registered") {
  ServiceWorld world;
  for (const auto* file : {etcdserverpb::RangeRequest::descriptor()->file(),
                           v3lockpb::LockRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int k = 0; k < file->service(i)->method_count(); ++k) {
        const auto* method = file->service(i)->method(k);
        const std::string path = "/" + method->service()->full_name() + "/" + method->name();
        CAPTURE(path);
        CHECK(world.open(path) != nullptr);
      }
    }
  }
}

TEST_CASE("a call without a message, and one with two") {
  ServiceWorld world;
  auto session = world.open("/etcdserverpb.KV/Put");
  session->half_close();
  REQUIRE(session->seen().over());
  CHECK(session->seen().status->code == GrpcCode::internal);

  session = world.open("/etcdserverpb.KV/Put");
  session->send(put_bytes("a"));
  session->send(put_bytes("b"));
  world.run(std::chrono::seconds(1));
  CHECK(session->seen().messages.size() == 1);
  CHECK(session->seen().status->code == GrpcCode::ok);
  CHECK(count(world, "a") == 1);
  CHECK(count(world, "b") == 0);
}

TEST_CASE("a client that leaves before its answer disturbs nobody, and its write stands") {
  ServiceWorld world;
  auto session = world.open("/etcdserverpb.KV/Put");
  session->send(put_bytes("k"));
  session->cancel();
  session.reset();
  world.run(std::chrono::seconds(1));
  CHECK(count(world, "k") == 1);
}

TEST_CASE("requests are told why there is no tenant") {
  ServiceWorld world;
  world.absence = {Error::backend_unavailable, "connection refused"};
  auto seen = world.call("/etcdserverpb.KV/Put", put_bytes("k"));
  CHECK(seen.status->code == GrpcCode::unavailable);
  CHECK(seen.status->message == "the database is not available: connection refused");
}

TEST_CASE("a shutdown ends watches and waiting locks, refuses new ones, and serves the rest") {
  ServiceWorld world;
  etcdserverpb::WatchRequest watch;
  watch.mutable_create_request()->set_key("k");
  auto watching = world.open("/etcdserverpb.Watch/Watch");
  watching->send(watch.SerializeAsString());
  v3lockpb::LockRequest lock;
  lock.set_name("l");
  CHECK(world.call("/v3lockpb.Lock/Lock", lock.SerializeAsString()).status->code == GrpcCode::ok);
  auto waiting = world.open("/v3lockpb.Lock/Lock");
  waiting->send(lock.SerializeAsString());
  world.run(std::chrono::seconds(1));
  CHECK_FALSE(waiting->seen().over());
  CHECK(count(world, "l/") == 2);

  begin_drain(world.services());
  CHECK_FALSE(watching->seen().over());
  CHECK_FALSE(waiting->seen().over());
  CHECK(world.services().running_calls == 0);
  end_long_calls(world.services());
  REQUIRE(watching->seen().over());
  CHECK(watching->seen().status->message == "etcdserver: server stopped");
  REQUIRE(waiting->seen().over());
  CHECK(waiting->seen().status->code == GrpcCode::unavailable);
  for (const char* path : {"/v3lockpb.Lock/Lock", "/etcdserverpb.Lease/LeaseKeepAlive"}) {
    CHECK(world.call(path, "").status->message == "etcdserver: server stopped");
  }
  // Its client has yet to read the GOAWAY, and would not repeat a write that was refused.
  CHECK(world.call("/etcdserverpb.KV/Put", put_bytes("k")).status->code == GrpcCode::ok);
  world.run(std::chrono::seconds(1));
  CHECK(count(world, "l/") == 1);  // the waiter has given up its place
}

// As etcd 3.7.3 does it, observed: nobody renews such a lease, and only Lock minds.
TEST_CASE("a lease of the server's own lasts for 60 s, whether the call waits or has its answer") {
  ServiceWorld world;
  etcdserverpb::LeaseGrantRequest grant;
  grant.set_ttl(600);
  auto lease = world.ask<etcdserverpb::LeaseGrantResponse>("/etcdserverpb.Lease/LeaseGrant", grant);
  v3lockpb::LockRequest lock;
  lock.set_name("l");
  lock.set_lease(lease.id());
  auto held = world.ask<v3lockpb::LockResponse>("/v3lockpb.Lock/Lock", lock);
  v3electionpb::CampaignRequest campaign;
  campaign.set_name("e");
  campaign.set_lease(lease.id());
  auto won = world.ask<v3electionpb::CampaignResponse>("/v3electionpb.Election/Campaign", campaign);

  lock.set_lease(0);
  campaign.set_lease(0);
  auto locking = world.open("/v3lockpb.Lock/Lock");
  locking->send(lock.SerializeAsString());
  auto campaigning = world.open("/v3electionpb.Election/Campaign");
  campaigning->send(campaign.SerializeAsString());
  lock.set_name("free");
  world.call("/v3lockpb.Lock/Lock", lock.SerializeAsString());
  world.run(std::chrono::seconds(55));
  CHECK(count(world, "l/") == 2);
  CHECK(count(world, "e/") == 2);
  CHECK(count(world, "free/") == 1);
  world.run(std::chrono::seconds(10));
  CHECK(count(world, "l/") == 1);
  CHECK(count(world, "e/") == 1);
  CHECK(count(world, "free/") == 0);
  // The calls go on waiting, and learn of it when it would be their turn.
  CHECK_FALSE(locking->seen().over());
  CHECK_FALSE(campaigning->seen().over());
  erase(world, held.key());
  REQUIRE(locking->seen().over());
  CHECK(locking->seen().status->code == GrpcCode::unknown);
  CHECK(locking->seen().status->message == "mutex: session is expired");
  erase(world, won.leader().key());
  REQUIRE(campaigning->seen().over());
  CHECK(campaigning->seen().status->code == GrpcCode::ok);
}

TEST_CASE("a watch that is not read is fed no more than its share, and all of it in the end") {
  ServiceWorld world;
  etcdserverpb::WatchRequest watch;
  watch.mutable_create_request()->set_key("k");
  auto watching = world.open("/etcdserverpb.Watch/Watch");
  watching->send(watch.SerializeAsString());
  world.run(std::chrono::seconds(1));
  const std::string value(100'000, 'v');
  for (int i = 0; i < 50; ++i) world.call("/etcdserverpb.KV/Put", put_bytes("k", value));
  size_t held = 0;
  for (const std::string& message : watching->seen().messages) held += message.size();
  CHECK(held < 2 * replica::stream_bytes_max);
  for (int i = 0; i < 100; ++i) {
    watching->deliver();
    world.run(std::chrono::milliseconds(100));
  }
  int64_t next = 2;
  for (const std::string& message : watching->seen().messages) {
    etcdserverpb::WatchResponse response;
    REQUIRE(response.ParseFromString(message));
    for (const mvccpb::Event& event : response.events()) CHECK(event.kv().mod_revision() == next++);
  }
  CHECK(next == 52);
}

TEST_CASE("garbage on a stream ends it with an internal error") {
  ServiceWorld world;
  for (const char* path : {"/etcdserverpb.Watch/Watch", "/etcdserverpb.Lease/LeaseKeepAlive",
                           "/v3electionpb.Election/Observe", "/etcdserverpb.Maintenance/Status"}) {
    CAPTURE(path);
    auto session = world.open(path);
    session->send("\x0a\x7f");
    REQUIRE(session->seen().over());
    CHECK(session->seen().status->code == GrpcCode::internal);
  }
}

}  // namespace
}  // namespace lattice::etcd
