// Auth: AuthStatus and the methods that show users and roles.
#include "etcd/methods.h"
#include "etcd/unary.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

namespace pb = etcdserverpb;
using Kind = auth::Query::Kind;

auth::Query to_query(const pb::AuthStatusRequest&) { return {.kind = Kind::status}; }
auth::Query to_query(const pb::AuthUserListRequest&) { return {.kind = Kind::users}; }
auth::Query to_query(const pb::AuthRoleListRequest&) { return {.kind = Kind::roles}; }
auth::Query to_query(const pb::AuthUserGetRequest& request) {
  return {.kind = Kind::user, .name = request.name()};
}
auth::Query to_query(const pb::AuthRoleGetRequest& request) {
  return {.kind = Kind::role, .name = request.role()};
}

void fill(const auth::Answer& answer, pb::AuthStatusResponse* response) {
  response->set_enabled(answer.enabled);
  response->set_authrevision(answer.revision);
}
void fill(const auth::Answer& answer, pb::AuthUserListResponse* response) {
  for (const std::string& name : answer.names) response->add_users(name);
}
void fill(const auth::Answer& answer, pb::AuthRoleListResponse* response) {
  for (const std::string& name : answer.names) response->add_roles(name);
}
void fill(const auth::Answer& answer, pb::AuthUserGetResponse* response) {
  for (const std::string& role : answer.user.roles) response->add_roles(role);
}
void fill(const auth::Answer& answer, pb::AuthRoleGetResponse* response) {
  for (const auth::Permission& permission : answer.permissions) {
    authpb::Permission* shown = response->add_perm();
    shown->set_permtype(static_cast<authpb::Permission::Type>(permission.type));
    shown->set_key(permission.key);
    shown->set_range_end(permission.end);
  }
}

template <class Request, class Response>
class QueryCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void handle(Tenant& tenant, std::string_view message) override {
    Request request;
    if (!decode_into(message, &request)) return;
    tenant.api.auth_query(
        to_query(request), answer<QueryCall, auth::Answer>([](QueryCall& call, auto& answered) {
          Response response;
          fill_header(call.tenant(), answered.header_revision, response.mutable_header());
          fill(answered, &response);
          call.reply_message(response);
        }),
        caller());
  }
};

template <class Request, class Response>
void add(Services& services, proxy::Router& router, std::string_view method) {
  router.add_grpc("/etcdserverpb.Auth/" + std::string(method),
                  factory_of<QueryCall<Request, Response>>(services));
}

}  // namespace

void register_auth_queries(Services& services, proxy::Router& router) {
  add<pb::AuthStatusRequest, pb::AuthStatusResponse>(services, router, "AuthStatus");
  add<pb::AuthUserListRequest, pb::AuthUserListResponse>(services, router, "UserList");
  add<pb::AuthRoleListRequest, pb::AuthRoleListResponse>(services, router, "RoleList");
  add<pb::AuthUserGetRequest, pb::AuthUserGetResponse>(services, router, "UserGet");
  add<pb::AuthRoleGetRequest, pb::AuthRoleGetResponse>(services, router, "RoleGet");
}

}  // namespace lattice::etcd
