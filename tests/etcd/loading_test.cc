// Calls that come before their tenant is loaded, and how calls hold it.
#include <doctest/doctest.h>

#include "etcd/service_world.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd::testing {
namespace {

const std::string put_path = "/etcdserverpb.KV/Put";
const std::string keep_alive_path = "/etcdserverpb.Lease/LeaseKeepAlive";

std::string put(const std::string& key) {
  etcdserverpb::PutRequest request;
  request.set_key(key);
  return request.SerializeAsString();
}

std::string keep_alive(int64_t lease) {
  etcdserverpb::LeaseKeepAliveRequest request;
  request.set_id(lease);
  return request.SerializeAsString();
}

TEST_CASE("a call waits for its tenant, and is answered once that is loaded") {
  ServiceWorld world;
  world.loading = true;
  auto call = world.open(put_path);
  call->send(put("k"));
  call->half_close();
  world.run(std::chrono::seconds(1));
  CHECK_FALSE(call->seen().over());
  world.look_again();  // not yet: it waits again
  CHECK_FALSE(call->seen().over());
  world.end_loading();
  REQUIRE(call->seen().over());
  CHECK(call->seen().status->code == proxy::GrpcCode::ok);
}

TEST_CASE("a call that waits is refused with what became of its tenant") {
  ServiceWorld world;
  world.loading = true;
  auto call = world.open(put_path);
  call->send(put("k"));
  world.absence = Status(Error::tenant_unknown, "gone");
  world.end_loading();
  REQUIRE(call->seen().over());
  CHECK(call->seen().status->code == proxy::GrpcCode::permission_denied);
  CHECK(call->seen().status->message == "gone");
}

TEST_CASE("a call that has ended is not looked after") {
  ServiceWorld world;
  world.loading = true;
  auto call = world.open(put_path);
  call->send(put("k"));
  call->cancel();
  world.end_loading();
  call.reset();
  world.look_again();
  CHECK(world.tenant().users == 0);
}

TEST_CASE("a stream keeps its requests while it waits, in order, and its end") {
  ServiceWorld world;
  world.loading = true;
  auto call = world.open(keep_alive_path);
  for (const int64_t lease : {1, 2, 3}) call->send(keep_alive(lease));
  call->half_close();
  CHECK_FALSE(call->seen().over());
  world.end_loading();
  REQUIRE(call->seen().messages.size() == 3);
  for (int64_t lease = 1; lease <= 3; ++lease) {
    etcdserverpb::LeaseKeepAliveResponse response;
    REQUIRE(response.ParseFromString(call->seen().messages[static_cast<size_t>(lease - 1)]));
    CHECK(response.id() == lease);
  }
  REQUIRE(call->seen().over());
  CHECK(call->seen().status->code == proxy::GrpcCode::ok);
}

TEST_CASE("a stream keeps only so many requests while it waits") {
  ServiceWorld world;
  world.loading = true;
  auto call = world.open(keep_alive_path);
  for (int i = 0; i < 2000 && !call->seen().over(); ++i) call->send(keep_alive(1));
  REQUIRE(call->seen().over());
  CHECK(call->seen().status->message == "etcdserver: too many requests");
}

TEST_CASE("what has waited for its tenant then waits at its door") {
  ServiceWorld world;
  TenantLimits limits;
  limits.requests_per_second = 1;
  limits.requests_burst = 1;
  limits.grace = std::chrono::milliseconds(100);
  world.tenant().gate.set_limits(std::make_shared<TenantLimits>(limits));
  world.loading = true;
  auto stream = world.open(keep_alive_path);
  for (const int64_t lease : {1, 2, 3}) stream->send(keep_alive(lease));
  stream->half_close();
  auto call = world.open(put_path);
  call->send(put("k"));
  world.loading = false;
  world.look_again();
  world.run(std::chrono::milliseconds(500));
  CHECK(stream->seen().messages.size() == 1);  // the next has to wait for its second
  REQUIRE(call->seen().over());                // and who may be refused is
  CHECK(call->seen().status->code == proxy::GrpcCode::resource_exhausted);
  world.run(std::chrono::seconds(1));
  CHECK(stream->seen().messages.size() == 2);
  CHECK_FALSE(stream->seen().over());
  world.run(std::chrono::seconds(1));
  CHECK(stream->seen().messages.size() == 3);
  REQUIRE(stream->seen().over());
  CHECK(stream->seen().status->code == proxy::GrpcCode::ok);
}

TEST_CASE("a call begins again where its tenant goes on, if it had no effect where it was") {
  ServiceWorld world;
  CHECK(world.call(put_path, put("before")).status->code == proxy::GrpcCode::ok);
  world.stop_replica();
  for (const bool guarded : {false, true}) {
    TenantLimits limits;
    if (guarded) limits.concurrent_requests_max = 1;
    world.tenant().gate.set_limits(std::make_shared<TenantLimits>(limits));
    world.retiring = true;
    auto call = world.open(put_path);
    call->send(put("k"));
    world.run(std::chrono::seconds(1));
    CHECK_FALSE(call->seen().over());
    CHECK(world.tenant().users == 0);
    world.absence = Status(Error::tenant_unknown, "gone");
    world.end_loading();
    REQUIRE(call->seen().over());
    CHECK(call->seen().status->message == "gone");
    world.absence = {};
  }
  world.retiring = true;
  auto call = world.open(put_path);
  call->send(put("k"));
  world.replace_tenant();
  world.end_loading();
  REQUIRE(call->seen().over());
  CHECK(call->seen().status->code == proxy::GrpcCode::ok);
  etcdserverpb::PutResponse answer;
  REQUIRE(answer.ParseFromString(call->seen().messages.at(0)));
  CHECK(answer.header().revision() == 3);  // once
}

TEST_CASE(
    "a call with several steps ends where its tenant does, and so does one that finds no other") {
  ServiceWorld world;
  world.stop_replica();
  auto stream = world.open(keep_alive_path);
  stream->send(keep_alive(1));
  world.run(std::chrono::seconds(1));
  REQUIRE(stream->seen().over());
  CHECK(stream->seen().status->message == "etcdserver: server stopped");
  stream.reset();
  const Seen seen = world.call(put_path, put("k"));  // always the same handle
  REQUIRE(seen.over());
  CHECK(seen.status->message == "etcdserver: server stopped");
  CHECK(world.tenant().users == 0);
}

TEST_CASE("a call holds its tenant to its end") {
  ServiceWorld world;
  auto call = world.open(keep_alive_path);
  CHECK(world.tenant().users == 0);
  call->send(keep_alive(1));
  CHECK(world.tenant().users == 1);
  call.reset();
  CHECK(world.tenant().users == 0);
}

}  // namespace
}  // namespace lattice::etcd::testing
