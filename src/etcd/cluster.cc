// Cluster: the processes that serve the tenant. Headers of this family carry revision 0 (etcd-v3.md
// 4.1).
#include <algorithm>

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
    // A linearizable list must not come from a process that has lost its place: any linearizable
    // read proves that it has not.
    auth::Query query;
    query.kind = auth::Query::Kind::caller;
    query.serializable = !request.linearizable();
    tenant.api.auth_query(std::move(query),
                          answer<MemberListCall, auth::Answer>(
                              [](auto& call, const auth::Answer&) { call.ask_members(); }),
                          caller());
  }

  void ask_members() {
    tenant().api.members(answer<MemberListCall, std::vector<replica::Member>>(
        [](auto& call, auto& members) { call.respond(members); }));
  }

  void respond(const std::vector<replica::Member>& members) {
    etcdserverpb::MemberListResponse response;
    fill_header(tenant(), Revision(0), response.mutable_header());
    for (const replica::Member& member : members) {
      etcdserverpb::Member* listed = response.add_members();
      listed->set_id(member_id_of(tenant().identity, member));
      const Identity& self = tenant().identity;
      const auto& urls = member.self ? self.client_urls() : member.node.client_urls;
      listed->set_name(member.self ? self.name() : member.node.name);
      for (const std::string& url : urls) listed->add_clienturls(url);
      if (!member.node.address.empty()) listed->add_peerurls("http://" + member.node.address);
      if (listed->peerurls_size() > 0) continue;
      // Without peers the client URL stands in, so that tables which print both have something.
      for (const std::string& url : urls) listed->add_peerurls(url);
    }
    std::sort(response.mutable_members()->pointer_begin(),
              response.mutable_members()->pointer_end(),
              [](const auto* a, const auto* b) { return a->id() < b->id(); });
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
