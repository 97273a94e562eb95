// Auth.Authenticate: a password for a token. What the password is compared with is read before, and
// again after, so that none succeeds that had been changed by then (reliability.md 53).
#include "etcd/methods.h"
#include "etcd/unary.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

using credentials::LoginGuard;

class AuthenticateCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;
  ~AuthenticateCall() override { leave(LoginGuard::Outcome::none); }

 private:
  void handle(Tenant&, std::string_view message) override {
    if (!decode_into(message, &request_)) return;
    if (services().authority == nullptr) return fail(Error::internal);
    ask(&AuthenticateCall::wait);
  }

  // With no token: clients log in when theirs has ended, and send it along.
  void ask(void (AuthenticateCall::*next)(const auth::Answer&)) {
    auth::Query query{.kind = auth::Query::Kind::login, .name = request_.name()};
    tenant().api.auth_query(
        std::move(query),
        answer<AuthenticateCall, auth::Answer>(
            [next](AuthenticateCall& call, const auth::Answer& found) { (call.*next)(found); }));
  }

  void wait(const auth::Answer& found) {
    if (found.user.no_password) {
      return fail({Error::unknown, std::string(no_password_text)});
    }
    guarded_ = found.realm + request_.name();
    const auto delay = guard().begin(*guarded_, services().environment.now());
    if (!delay) {
      guarded_.reset();
      return fail(Error::too_many_requests);
    }
    if (*delay == Duration{}) return compare(found);
    timer_ = services().environment.after(*delay, [this, found] { compare(found); });
  }

  void compare(const auth::Answer& found) {
    password_revision_ = found.user.password_revision;
    services().authority->check(
        request_.password(), found.user.password_hash,
        answer<AuthenticateCall, bool>([](AuthenticateCall& call, bool right) {
          if (right) return call.ask(&AuthenticateCall::finish_login);
          call.leave(LoginGuard::Outcome::wrong);
          call.fail(Error::auth_failed);
        }));
  }

  void finish_login(const auth::Answer& found) {
    if (found.names.empty()) return fail(Error::auth_failed);
    // Another password by now, which this one has to be compared with.
    if (found.user.password_revision != password_revision_) return compare(found);
    leave(LoginGuard::Outcome::right);
    Result<std::string> token =
        services().authority->issue({request_.name(), found.revision, found.realm});
    if (!token.ok()) return fail(token.status());
    audit_login(request_.name());
    etcdserverpb::AuthenticateResponse response;
    fill_header(tenant(), found.header_revision, response.mutable_header());
    response.set_token(std::move(*token));
    reply_message(response);
  }

  void on_gone() override {
    timer_.reset();
    leave(LoginGuard::Outcome::none);
  }

  LoginGuard& guard() { return services().authority->guard(); }
  void leave(LoginGuard::Outcome outcome) {
    if (!guarded_) return;
    guard().finished(*guarded_, outcome, services().environment.now());
    guarded_.reset();
  }

  etcdserverpb::AuthenticateRequest request_;
  std::optional<std::string> guarded_;  // known to the guard under this name
  uint64_t password_revision_ = 0;
  std::unique_ptr<replica::Timer> timer_;
};

}  // namespace

void register_authenticate(Services& services, proxy::Router& router) {
  router.add_grpc("/etcdserverpb.Auth/Authenticate", factory_of<AuthenticateCall>(services));
}

}  // namespace lattice::etcd
