// Requests about the store as a whole, and writes that are larger than etcd's limit.
#include <doctest/doctest.h>

#include "etcd/service_world.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

using namespace etcdserverpb;
using proxy::GrpcCode;
using testing::ServiceWorld;

void put(ServiceWorld& world, const std::string& key) {
  PutRequest request;
  request.set_key(key);
  world.ask<PutResponse>("/etcdserverpb.KV/Put", request);
}

TEST_CASE("Hash answers what HashKV answers for the newest revision") {
  ServiceWorld world;
  put(world, "a");
  const auto first = world.ask<HashResponse>("/etcdserverpb.Maintenance/Hash", HashRequest());
  put(world, "b");
  const auto hash = world.ask<HashResponse>("/etcdserverpb.Maintenance/Hash", HashRequest());
  const auto of_kv = world.ask<HashKVResponse>("/etcdserverpb.Maintenance/HashKV", HashKVRequest());
  CHECK(hash.hash() == of_kv.hash());
  CHECK(hash.header().revision() == 3);
  CHECK(of_kv.hash_revision() == 3);
  CHECK(hash.hash() != first.hash());

  HashKVRequest earlier;
  earlier.set_revision(2);
  const auto back = world.ask<HashKVResponse>("/etcdserverpb.Maintenance/HashKV", earlier);
  CHECK(back.hash() == first.hash());
  earlier.set_revision(4);
  const auto seen = world.call("/etcdserverpb.Maintenance/HashKV", earlier.SerializeAsString());
  CHECK(seen.status->code == GrpcCode::out_of_range);
}

TEST_CASE("leases are listed as they come and go") {
  ServiceWorld world;
  const auto list = [&] {
    return world.ask<LeaseLeasesResponse>("/etcdserverpb.Lease/LeaseLeases", LeaseLeasesRequest());
  };
  CHECK(list().leases().empty());
  CHECK(list().header().revision() == 1);
  LeaseGrantRequest grant;
  grant.set_ttl(60);
  grant.set_id(7);
  world.ask<LeaseGrantResponse>("/etcdserverpb.Lease/LeaseGrant", grant);
  const auto one = list();
  REQUIRE(one.leases().size() == 1);
  CHECK(one.leases(0).id() == 7);
  LeaseRevokeRequest revoke;
  revoke.set_id(7);
  world.ask<LeaseRevokeResponse>("/etcdserverpb.Lease/LeaseRevoke", revoke);
  CHECK(list().leases().empty());
}

TEST_CASE("alarms are set, listed and cleared, and Defragment answers") {
  ServiceWorld world;
  const auto ask = [&](auto action, uint64_t member, AlarmType type) {
    AlarmRequest request;
    request.set_action(action);
    request.set_memberid(member);
    request.set_alarm(type);
    return world.ask<AlarmResponse>("/etcdserverpb.Maintenance/Alarm", request);
  };
  CHECK(ask(AlarmRequest::GET, 0, NONE).alarms().empty());
  CHECK(ask(AlarmRequest::ACTIVATE, 9, NONE).alarms().empty());
  REQUIRE(ask(AlarmRequest::ACTIVATE, 9, CORRUPT).alarms().size() == 1);
  CHECK(ask(AlarmRequest::GET, 0, NONE).alarms(0).memberid() == 9);
  CHECK(ask(AlarmRequest::GET, 0, NOSPACE).alarms().empty());
  const auto status =
      world.ask<StatusResponse>("/etcdserverpb.Maintenance/Status", StatusRequest());
  REQUIRE(status.errors().size() == 1);
  CHECK(status.errors(0) == "memberID:9 alarm:CORRUPT");
  CHECK(status.dbsizequota() == int64_t{2} << 30);
  CHECK(ask(AlarmRequest::DEACTIVATE, 8, CORRUPT).alarms().empty());
  CHECK(ask(AlarmRequest::DEACTIVATE, 9, CORRUPT).alarms().size() == 1);
  CHECK(ask(AlarmRequest::GET, 0, NONE).alarms().empty());
  AlarmRequest unknown;
  unknown.set_action(static_cast<AlarmRequest::AlarmAction>(9));
  auto seen = world.call("/etcdserverpb.Maintenance/Alarm", unknown.SerializeAsString());
  CHECK(seen.status->code == GrpcCode::invalid_argument);
  seen = world.call("/etcdserverpb.Maintenance/Defragment", "");
  CHECK(seen.status->code == GrpcCode::ok);
  CHECK(seen.messages.size() == 1);
}

TEST_CASE("writes above the limit are refused; what is wrong in itself is told first") {
  ServiceWorld world;
  const std::string large(2 * 1024 * 1024, 'x');
  const std::string too_large = "etcdserver: request is too large";
  PutRequest put;
  put.set_key("k");
  put.set_value(large);
  auto seen = world.call("/etcdserverpb.KV/Put", put.SerializeAsString());
  CHECK(seen.status->message == too_large);
  DeleteRangeRequest erase;
  erase.set_key(large);
  seen = world.call("/etcdserverpb.KV/DeleteRange", erase.SerializeAsString());
  CHECK(seen.status->message == too_large);
  TxnRequest txn;
  *txn.add_success()->mutable_request_put() = put;
  seen = world.call("/etcdserverpb.KV/Txn", txn.SerializeAsString());
  CHECK(seen.status->message == too_large);

  put.clear_key();
  seen = world.call("/etcdserverpb.KV/Put", put.SerializeAsString());
  CHECK(seen.status->message == "etcdserver: key is not provided");
  // Never a raft request in etcd, so no limit of its own.
  TxnRequest reads;
  reads.add_success()->mutable_request_range()->set_key(large);
  seen = world.call("/etcdserverpb.KV/Txn", reads.SerializeAsString());
  CHECK(seen.status->code == GrpcCode::ok);
}

}  // namespace
}  // namespace lattice::etcd
