// The limits at the door: what a tenant that uses more than its share is told, and when.
#include "etcd/gate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "etcd/service_world.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

using namespace etcdserverpb;
using proxy::GrpcCode;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ServiceWorld;
using Sessions = std::vector<std::unique_ptr<ServiceWorld::Session>>;

const std::string put_path = "/etcdserverpb.KV/Put";
const std::string watch_path = "/etcdserverpb.Watch/Watch";

std::string put_of(const std::string& key, size_t bytes = 1) {
  PutRequest request;
  request.set_key(key);
  request.set_value(std::string(bytes, 'x'));
  return request.SerializeAsString();
}

std::string watch_create(const std::string& key) {
  WatchRequest request;
  request.mutable_create_request()->set_key(key);
  return request.SerializeAsString();
}

Sessions puts(ServiceWorld& world, size_t count) {
  Sessions all;
  for (size_t i = 0; i < count; ++i) {
    all.push_back(world.open(put_path));
    all.back()->send(put_of("k"));
    all.back()->half_close();
  }
  return all;
}

size_t answered(const Sessions& sessions, GrpcCode code = GrpcCode::ok) {
  return static_cast<size_t>(std::ranges::count_if(sessions, [&](const auto& session) {
    return session->seen().over() && session->seen().status->code == code;
  }));
}

void limit(ServiceWorld& world, const TenantLimits& limits) {
  world.tenant().gate.set_limits(std::make_shared<TenantLimits>(limits));
}

TEST_CASE("requests over the rate are delayed first and refused last") {
  ServiceWorld world;
  limit(world, {.requests_per_second = 100, .requests_burst = 10, .grace = milliseconds(200)});
  Sessions sessions = puts(world, 50);
  // 10 at once, 20 in the 200 ms that may pass, and the one at their very end.
  CHECK(answered(sessions, GrpcCode::resource_exhausted) == 20);
  world.run(milliseconds(5));
  CHECK(answered(sessions) == 10);
  world.run(milliseconds(100));
  CHECK(answered(sessions) == 20);
  world.run(milliseconds(200));
  CHECK(answered(sessions) == 30);

  const auto refused = std::ranges::find_if(
      sessions, [](auto& one) { return one->seen().status->code != GrpcCode::ok; });
  const proxy::GrpcStatus& status = *(*refused)->seen().status;
  CHECK(status.message == "etcdserver: too many requests");
  std::map<std::string, std::string> trailers(status.trailers.begin(), status.trailers.end());
  CHECK(trailers["grpc-retry-pushback-ms"] == "10");
  CHECK(trailers["ratelimit-limit"] == "100");
  CHECK(trailers["ratelimit-remaining"] == "0");
  CHECK(trailers["ratelimit-reset"] == "1");
  const std::string& details = trailers["grpc-status-details-bin"];
  CHECK(
      details.starts_with("\x08\x08\x12\x1d"
                          "etcdserver: too many requests\x1a"));
  CHECK(details.find("type.googleapis.com/google.rpc.RetryInfo") != std::string::npos);
  CHECK(details.find("type.googleapis.com/google.rpc.QuotaFailure") != std::string::npos);
}

TEST_CASE("large requests and large answers use up the bytes") {
  ServiceWorld world;
  limit(world, {.bytes_per_second = 100'000, .bytes_burst = 100'000, .grace = milliseconds(500)});
  CHECK(world.call(put_path, put_of("k", 90'000)).status->code == GrpcCode::ok);
  world.run(seconds(2));
  RangeRequest range;
  range.set_key("k");
  const std::string get = range.SerializeAsString();
  const std::string path = "/etcdserverpb.KV/Range";
  // 90 kB each: the first is let in, the next owes 80 kB, then more than half a second is owed.
  Sessions sessions;
  for (int i = 0; i < 3; ++i) {
    sessions.push_back(world.open(path));
    sessions.back()->send(get);
    world.run(milliseconds(1));
  }
  CHECK(answered(sessions) == 2);
  world.run(milliseconds(1));
  CHECK(answered(sessions, GrpcCode::resource_exhausted) == 1);
  world.run(seconds(2));
  CHECK(world.call(path, get).status->code == GrpcCode::ok);
}

TEST_CASE("a client that leaves while it waits is forgotten") {
  ServiceWorld world;
  limit(world, {.requests_per_second = 10, .requests_burst = 1, .grace = seconds(1)});
  Sessions sessions = puts(world, 5);
  sessions.resize(2);
  world.run(seconds(1));
  CHECK(answered(sessions) == 2);
  CHECK(world.services().running_calls == 2);
}

TEST_CASE("what waits is bounded in bytes, for unary calls and on each stream") {
  ServiceWorld world;
  limit(world, {.requests_per_second = 1000, .requests_burst = 1, .grace = seconds(1)});
  Sessions sessions;
  for (int i = 0; i < 80; ++i) {
    sessions.push_back(world.open(put_path));
    sessions.back()->send(put_of("k", 1'000'000));
  }
  // 64 MiB, and the one that came in at once.
  CHECK(answered(sessions, GrpcCode::resource_exhausted) == 80 - 69);
  world.run(seconds(1));
  CHECK(answered(sessions) == 69);
  sessions.clear();
  limit(world, {.requests_per_second = 1, .requests_burst = 1});
  const auto stream = world.open(watch_path);
  for (int i = 0; i < 2; ++i) stream->send(watch_create(std::string(600'000, 'k')));
  world.run(milliseconds(1));
  CHECK_FALSE(stream->seen().over());
  for (int i = 0; i < 3; ++i) stream->send(watch_create(std::string(600'000, 'k')));
  CHECK(stream->seen().over());
}

TEST_CASE("only so many run at a time; the others wait for them, and not for ever") {
  ServiceWorld world;
  limit(world, {.grace = milliseconds(100), .concurrent_requests_max = 2});
  Sessions sessions = puts(world, 6);
  CHECK(answered(sessions) == 0);
  world.run(milliseconds(5));
  CHECK(answered(sessions) == 2);
  world.run(milliseconds(50));
  CHECK(answered(sessions) == 2);  // the places are free when the calls are gone, not before
  sessions.erase(sessions.begin(), sessions.begin() + 2);
  world.run(milliseconds(5));
  CHECK(answered(sessions) == 2);
  world.run(milliseconds(100));
  CHECK(answered(sessions, GrpcCode::resource_exhausted) == 2);
}

TEST_CASE("streams keep their order and are never cut") {
  ServiceWorld world;
  LeaseGrantRequest grant;
  grant.set_id(7);
  grant.set_ttl(600);
  world.call("/etcdserverpb.Lease/LeaseGrant", grant.SerializeAsString());
  limit(world, {.requests_per_second = 10, .requests_burst = 1, .grace = milliseconds(1)});
  const auto stream = world.open("/etcdserverpb.Lease/LeaseKeepAlive");
  for (int id : {7, 8, 7, 8, 7}) {
    LeaseKeepAliveRequest request;
    request.set_id(id);
    stream->send(request.SerializeAsString());
  }
  stream->half_close();
  world.run(milliseconds(150));
  CHECK(stream->seen().messages.size() == 2);
  CHECK_FALSE(stream->seen().over());
  world.run(seconds(1));
  REQUIRE(stream->seen().messages.size() == 5);
  for (size_t i = 0; i < 5; ++i) {
    LeaseKeepAliveResponse response;
    response.ParseFromString(stream->seen().messages[i]);
    CHECK(response.id() == (i % 2 == 0 ? 7 : 8));
  }
  CHECK(stream->seen().status->code == GrpcCode::ok);
}

TEST_CASE("a stream that never waits for answers is ended in the end") {
  ServiceWorld world;
  limit(world, {.requests_per_second = 1, .requests_burst = 1, .grace = milliseconds(1)});
  const auto stream = world.open("/etcdserverpb.Lease/LeaseKeepAlive");
  for (int i = 0; i < 2000; ++i) stream->send("");
  REQUIRE(stream->seen().over());
  CHECK(stream->seen().status->code == GrpcCode::resource_exhausted);
}

std::string watch_cancel(int64_t id) {
  WatchRequest request;
  request.mutable_cancel_request()->set_watch_id(id);
  return request.SerializeAsString();
}

WatchResponse response(const ServiceWorld::Session& session, size_t index) {
  WatchResponse response;
  REQUIRE(session.seen().messages.size() > index);
  response.ParseFromString(session.seen().messages[index]);
  return response;
}

TEST_CASE("watches are counted over all streams; a place is free when one ends") {
  ServiceWorld world;
  limit(world, {.watches_max = 3});
  auto first = world.open(watch_path);
  const auto second = world.open(watch_path);
  first->send(watch_create("a"));
  first->send(watch_create("b"));
  second->send(watch_create("c"));
  second->send(watch_create("d"));
  world.run(milliseconds(10));
  CHECK_FALSE(response(*second, 0).canceled());
  const WatchResponse refused = response(*second, 1);
  CHECK(refused.created());
  CHECK(refused.canceled());
  CHECK(refused.watch_id() == -1);
  CHECK(refused.cancel_reason() == "lattice: the tenant's limit of watches is reached");

  second->send(watch_cancel(0));
  world.run(milliseconds(10));
  second->send(watch_create("d"));
  world.run(milliseconds(10));
  CHECK_FALSE(response(*second, 3).canceled());
  first.reset();
  second->send(watch_create("e"));
  second->send(watch_create("f"));
  second->send(watch_create("g"));
  world.run(milliseconds(10));
  CHECK_FALSE(response(*second, 4).canceled());
  CHECK_FALSE(response(*second, 5).canceled());
  CHECK(response(*second, 6).canceled());
}

size_t bytes_of(const testing::Seen& seen) {
  size_t bytes = 0;
  for (const std::string& message : seen.messages) bytes += message.size();
  return bytes;
}

TEST_CASE("watch events use up bytes: the stream goes on when they are earned") {
  ServiceWorld world;
  const auto watch = world.open(watch_path);
  watch->send(watch_create("k"));
  // More than twice what a stream may have outstanding.
  for (int i = 0; i < 40; ++i) world.call(put_path, put_of("k", 100'000));
  const size_t outstanding = bytes_of(watch->seen());
  CHECK(outstanding < 2'000'000);
  limit(world, {.bytes_per_second = 1'000'000, .bytes_burst = 1});
  watch->deliver();
  const size_t first = bytes_of(watch->seen());
  CHECK(first > outstanding);
  world.run(milliseconds(500));
  watch->deliver();
  CHECK(bytes_of(watch->seen()) == first);
  world.run(milliseconds(800));
  watch->deliver();
  CHECK(bytes_of(watch->seen()) > first);
  for (int i = 0; i < 5; ++i) {
    world.run(seconds(2));
    watch->deliver();
  }
  CHECK(bytes_of(watch->seen()) > 4'000'000);
  CHECK_FALSE(watch->seen().over());
}

}  // namespace
}  // namespace lattice::etcd
