// Auth: the methods that change users and roles, or whether they count. (Questions:
// auth_queries.cc; Authenticate: authenticate.cc.)
#include "etcd/methods.h"
#include "etcd/unary.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

namespace pb = etcdserverpb;
using ChangeKind = auth::Change::Kind;

auth::Change change_of(ChangeKind kind, std::string user, std::string role) {
  auth::Change change;
  change.kind = kind;
  change.user = std::move(user);
  change.role = std::move(role);
  return change;
}

auth::Change to_change(const pb::AuthEnableRequest&) {
  return change_of(ChangeKind::enable, {}, {});
}
auth::Change to_change(const pb::AuthDisableRequest&) {
  return change_of(ChangeKind::disable, {}, {});
}
auth::Change to_change(const pb::AuthUserDeleteRequest& request) {
  return change_of(ChangeKind::user_delete, request.name(), {});
}
auth::Change to_change(const pb::AuthUserGrantRoleRequest& request) {
  return change_of(ChangeKind::user_grant_role, request.user(), request.role());
}
auth::Change to_change(const pb::AuthUserRevokeRoleRequest& request) {
  return change_of(ChangeKind::user_revoke_role, request.name(), request.role());
}
auth::Change to_change(const pb::AuthRoleAddRequest& request) {
  return change_of(ChangeKind::role_add, {}, request.name());
}
auth::Change to_change(const pb::AuthRoleDeleteRequest& request) {
  return change_of(ChangeKind::role_delete, {}, request.role());
}
auth::Change to_change(const pb::AuthRoleGrantPermissionRequest& request) {
  auth::Change change = change_of(ChangeKind::role_grant, {}, request.name());
  change.has_permission = request.has_perm();
  const authpb::Permission& wanted = request.perm();
  change.permission = {static_cast<auth::PermissionType>(wanted.permtype()), wanted.key(),
                       wanted.range_end()};
  return change;
}
auth::Change to_change(const pb::AuthRoleRevokePermissionRequest& request) {
  auth::Change change = change_of(ChangeKind::role_revoke, {}, request.role());
  change.permission.key = request.key();
  change.permission.end = request.range_end();
  return change;
}

// All answers are a header with the revision, which these changes do not move.
class AuthCall : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 protected:
  void propose(auth::Change change) {
    changes().auth_change(std::move(change),
                          answer<AuthCall, Revision>([](AuthCall& call, Revision revision) {
                            call.reply(encode_header_only(call.tenant().header(), revision));
                          }));
  }
};

template <class Request>
class ChangeCall final : public AuthCall {
 public:
  using AuthCall::AuthCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    Request request;
    if (decode_into(message, &request)) propose(to_change(request));
  }
};

// A password is hashed before it goes anywhere; for nobody but root, because that takes its time.
class PasswordCall : public AuthCall {
 public:
  using AuthCall::AuthCall;

 protected:
  void propose_hashed(auth::Change change, std::string password) {
    change_ = std::move(change);
    password_ = std::move(password);
    require<PasswordCall>(auth::Query::Kind::root, [](PasswordCall& call) { call.hash(); });
  }

 private:
  void hash() {
    if (services().authority == nullptr) return fail(Error::internal);
    services().authority->hash(
        std::exchange(password_, {}),
        answer<PasswordCall, std::string>([](PasswordCall& call, std::string& hashed) {
          call.change_.password_hash = std::move(hashed);
          call.propose(std::move(call.change_));
        }));
  }

  auth::Change change_;
  std::string password_;
};

class UserAddCall final : public PasswordCall {
 public:
  using PasswordCall::PasswordCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    pb::AuthUserAddRequest request;
    if (!decode_into(message, &request)) return;
    auth::Change change = change_of(ChangeKind::user_add, request.name(), {});
    change.no_password = request.options().no_password();
    if (change.no_password) return propose(std::move(change));
    propose_hashed(std::move(change), std::move(*request.mutable_password()));
  }
};

class ChangePasswordCall final : public PasswordCall {
 public:
  using PasswordCall::PasswordCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    pb::AuthUserChangePasswordRequest request;
    if (!decode_into(message, &request)) return;
    auth::Change change = change_of(ChangeKind::user_change_password, request.name(), {});
    if (!request.password().empty()) {
      return propose_hashed(std::move(change), std::move(*request.mutable_password()));
    }
    // Without a password, a hash that the client has made; without that, nobody's.
    Result<std::string> hash = credentials::decode_base64(request.hashedpassword());
    if (!hash.ok()) {
      return require<ChangePasswordCall>(auth::Query::Kind::root, [](ChangePasswordCall& call) {
        call.fail({Error::unknown, std::string(no_password_text)});  // etcd's, for this, too
      });
    }
    change.password_hash = std::move(*hash);
    propose(std::move(change));
  }
};

}  // namespace

void register_auth(Services& services, proxy::Router& router) {
  const auto add = [&](std::string_view method, proxy::CallFactory factory) {
    router.add_grpc("/etcdserverpb.Auth/" + std::string(method), std::move(factory));
  };
  add("AuthEnable", factory_of<ChangeCall<pb::AuthEnableRequest>>(services));
  add("AuthDisable", factory_of<ChangeCall<pb::AuthDisableRequest>>(services));
  add("UserAdd", factory_of<UserAddCall>(services));
  add("UserDelete", factory_of<ChangeCall<pb::AuthUserDeleteRequest>>(services));
  add("UserChangePassword", factory_of<ChangePasswordCall>(services));
  add("UserGrantRole", factory_of<ChangeCall<pb::AuthUserGrantRoleRequest>>(services));
  add("UserRevokeRole", factory_of<ChangeCall<pb::AuthUserRevokeRoleRequest>>(services));
  add("RoleAdd", factory_of<ChangeCall<pb::AuthRoleAddRequest>>(services));
  add("RoleDelete", factory_of<ChangeCall<pb::AuthRoleDeleteRequest>>(services));
  add("RoleGrantPermission", factory_of<ChangeCall<pb::AuthRoleGrantPermissionRequest>>(services));
  add("RoleRevokePermission",
      factory_of<ChangeCall<pb::AuthRoleRevokePermissionRequest>>(services));
  register_auth_queries(services, router);
  register_authenticate(services, router);
}

}  // namespace lattice::etcd
