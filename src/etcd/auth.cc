// Auth: users and roles are not offered yet, so authentication is off, and the two methods that
// clients call without knowing that say so the way etcd does.
#include "etcd/methods.h"
#include "etcd/unary.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

class AuthStatusCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void handle(Tenant& tenant, std::string_view message) override {
    etcdserverpb::AuthStatusRequest request;
    if (!decode_into(message, &request)) return;
    etcdserverpb::AuthStatusResponse response;
    fill_header(tenant, tenant.api.applied_revision(), response.mutable_header());
    response.set_enabled(false);
    response.set_authrevision(1);  // of a store without users
    reply_message(response);
  }
};

class AuthenticateCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    etcdserverpb::AuthenticateRequest request;
    if (decode_into(message, &request)) fail(Error::auth_not_enabled);
  }
};

}  // namespace

void register_auth(Services& services, proxy::Router& router) {
  router.add_grpc("/etcdserverpb.Auth/AuthStatus", factory_of<AuthStatusCall>(services));
  router.add_grpc("/etcdserverpb.Auth/Authenticate", factory_of<AuthenticateCall>(services));
  for (std::string_view method :
       {"AuthEnable", "AuthDisable", "UserAdd", "UserGet", "UserList", "UserDelete",
        "UserChangePassword", "UserGrantRole", "UserRevokeRole", "RoleAdd", "RoleGet", "RoleList",
        "RoleDelete", "RoleGrantPermission", "RoleRevokePermission"}) {
    register_unimplemented(router, "/etcdserverpb.Auth/" + std::string(method));
  }
}

}  // namespace lattice::etcd
