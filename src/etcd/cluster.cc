// Cluster: one member, this process. Headers of this family carry revision 0 (etcd-v3.md 4.1).
#include "etcd/methods.h"
#include "etcd/unary.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

class MemberListCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void handle(Tenant& tenant, std::string_view message) override {
    etcdserverpb::MemberListRequest request;
    if (!decode_into(message, &request)) return;
    if (!request.linearizable()) return respond();
    // A linearizable list must not come from a process that has lost its place: any linearizable
    // read proves that it has not.
    keyspace::RangeRequest probe;
    probe.range.key.assign(1, '\0');
    probe.keys_only = true;
    tenant.api.range(std::move(probe), answer<MemberListCall, keyspace::RangeResult>(
                                           [](auto& call, auto&) { call.respond(); }));
  }

  void respond() {
    etcdserverpb::MemberListResponse response;
    fill_header(tenant(), Revision(0), response.mutable_header());
    etcdserverpb::Member* member = response.add_members();
    member->set_id(tenant().identity.member_id());
    member->set_name(tenant().identity.name());
    for (const std::string& url : tenant().identity.client_urls()) {
      // Without peers the client URL stands in, so that tables which print both have something.
      member->add_peerurls(url);
      member->add_clienturls(url);
    }
    reply_message(response);
  }
};

}  // namespace

void register_cluster(Services& services, proxy::Router& router) {
  router.add_grpc("/etcdserverpb.Cluster/MemberList", factory_of<MemberListCall>(services));
  for (std::string_view path :
       {"/etcdserverpb.Cluster/MemberAdd", "/etcdserverpb.Cluster/MemberRemove",
        "/etcdserverpb.Cluster/MemberUpdate", "/etcdserverpb.Cluster/MemberPromote"}) {
    register_unimplemented(router, path);
  }
}

}  // namespace lattice::etcd
