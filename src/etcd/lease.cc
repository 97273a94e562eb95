// LeaseGrant, LeaseRevoke, LeaseTimeToLive, LeaseLeases. (LeaseKeepAlive: lease_keep_alive.cc.)
#include "etcd/methods.h"
#include "etcd/unary.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

class GrantCall final : public OneOperationCall {
 public:
  using OneOperationCall::OneOperationCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    etcdserverpb::LeaseGrantRequest request;
    if (!decode_into(message, &request)) return;
    changes().lease_grant(LeaseId(request.id()), request.ttl(),
                          answer<GrantCall, replica::LeaseGrantResult>(
                              [](auto& call, auto& result) { call.granted(result); }));
  }
  void granted(const replica::LeaseGrantResult& result) {
    etcdserverpb::LeaseGrantResponse response;
    fill_header(tenant(), result.header_revision, response.mutable_header());
    response.set_id(result.id.value);
    response.set_ttl(result.ttl_seconds);
    reply_message(response);
  }
};

class RevokeCall final : public OneOperationCall {
 public:
  using OneOperationCall::OneOperationCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    etcdserverpb::LeaseRevokeRequest request;
    if (!decode_into(message, &request)) return;
    changes().lease_revoke(LeaseId(request.id()),
                           answer<RevokeCall, Revision>([](auto& call, Revision revision) {
                             call.reply(encode_header_only(call.tenant().header(), revision));
                           }));
  }
};

class TimeToLiveCall final : public OneOperationCall {
 public:
  using OneOperationCall::OneOperationCall;

 private:
  void handle(Tenant& tenant, std::string_view message) override {
    etcdserverpb::LeaseTimeToLiveRequest request;
    if (!decode_into(message, &request)) return;
    id_ = request.id();
    tenant.api.lease_time_to_live(LeaseId(request.id()), request.keys(),
                                  answer<TimeToLiveCall, replica::LeaseTimeToLiveResult>(
                                      [](auto& call, auto& result) { call.found(result); }),
                                  caller());
  }
  void found(const replica::LeaseTimeToLiveResult& result) {
    etcdserverpb::LeaseTimeToLiveResponse response;
    fill_header(tenant(), result.header_revision, response.mutable_header());
    response.set_id(id_);
    response.set_ttl(-1);  // what etcd says of a lease that is not there
    if (result.found) {
      response.set_ttl(result.info.remaining_seconds);
      response.set_grantedttl(result.info.granted_ttl_seconds);
      for (const std::string& key : result.keys) response.add_keys(key);
    }
    reply_message(response);
  }
  int64_t id_ = 0;
};

class LeasesCall final : public OneOperationCall {
 public:
  using OneOperationCall::OneOperationCall;

 private:
  void handle(Tenant& tenant, std::string_view message) override {
    etcdserverpb::LeaseLeasesRequest request;
    if (!decode_into(message, &request)) return;
    tenant.api.lease_leases(answer<LeasesCall, replica::LeaseLeasesResult>(
                                [](auto& call, auto& result) { call.listed(result); }),
                            caller());
  }
  void listed(const replica::LeaseLeasesResult& result) {
    etcdserverpb::LeaseLeasesResponse response;
    fill_header(tenant(), result.header_revision, response.mutable_header());
    for (const lease::LeaseInfo& info : result.leases) response.add_leases()->set_id(info.id.value);
    reply_message(response);
  }
};

}  // namespace

void register_lease(Services& services, proxy::Router& router) {
  router.add_grpc("/etcdserverpb.Lease/LeaseGrant", factory_of<GrantCall>(services));
  router.add_grpc("/etcdserverpb.Lease/LeaseRevoke", factory_of<RevokeCall>(services));
  router.add_grpc("/etcdserverpb.Lease/LeaseTimeToLive", factory_of<TimeToLiveCall>(services));
  router.add_grpc("/etcdserverpb.Lease/LeaseLeases", factory_of<LeasesCall>(services));
}

}  // namespace lattice::etcd
