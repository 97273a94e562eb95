// lattice.v1.Tokens: tokens for machines, made, shown and revoked (docs/decisions/0014). The secret
// is in one answer, and nowhere else.
#include "credentials/api_tokens.h"
#include "etcd/methods.h"
#include "etcd/unary.h"
#include "proto/lattice/v1/tokens.pb.h"

namespace lattice::etcd {
namespace {

// A century, so that nothing overflows.
constexpr int64_t ttl_seconds_max = 100LL * 366 * 86'400;

void fill(const auth::ApiToken& from, v1::Token* to) {
  to->set_id(auth::token_id_of(from.hash));
  to->set_user(from.user);
  for (const std::string& role : from.roles) to->add_roles(role);
  to->set_read_only(from.read_only);
  to->set_comment(from.comment);
  to->set_created(from.created_seconds);
  to->set_expires(from.expires_seconds);
}

class CreateTokenCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    v1::CreateTokenRequest request;
    if (!decode_into(message, &request)) return;
    if (services().authority == nullptr) return fail(Error::internal);
    if (request.ttl() < 0 || request.ttl() > ttl_seconds_max) {
      return fail({Error::invalid_argument, "lattice: a token's ttl is at most a century"});
    }
    credentials::ApiTokenBits random;
    services().environment.random_bytes(random);
    secret_ = credentials::make_api_token(random);
    token_.hash = credentials::api_token_hash(secret_);
    token_.user = std::move(*request.mutable_user());
    for (std::string& role : *request.mutable_roles()) token_.roles.push_back(std::move(role));
    token_.read_only = request.read_only();
    token_.comment = std::move(*request.mutable_comment());
    token_.created_seconds = services().authority->now_seconds();
    if (request.ttl() > 0) token_.expires_seconds = token_.created_seconds + request.ttl();
    auth::Change change;
    change.kind = auth::Change::Kind::token_create;
    change.token = token_;
    changes().auth_change(std::move(change),
                          answer<CreateTokenCall, Revision>(
                              [](CreateTokenCall& call, Revision at) { call.made(at); }));
  }

  void made(Revision revision) {
    v1::CreateTokenResponse response;
    fill_header(tenant(), revision, response.mutable_header());
    fill(token_, response.mutable_token());
    response.set_secret(std::move(secret_));
    reply_message(response);
  }

  auth::ApiToken token_;
  std::string secret_;
};

class ListTokensCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void handle(Tenant& tenant, std::string_view message) override {
    v1::ListTokensRequest request;
    if (!decode_into(message, &request)) return;
    tenant.api.auth_query(
        {.kind = auth::Query::Kind::tokens},
        answer<ListTokensCall, auth::Answer>([](ListTokensCall& call, auto& answered) {
          v1::ListTokensResponse response;
          fill_header(call.tenant(), answered.header_revision, response.mutable_header());
          for (const auto& token : answered.tokens) {
            fill(token, response.add_tokens());
          }
          call.reply_message(response);
        }),
        caller());
  }
};

class RevokeTokenCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void handle(Tenant&, std::string_view message) override {
    v1::RevokeTokenRequest request;
    if (!decode_into(message, &request)) return;
    auth::Change change;
    change.kind = auth::Change::Kind::token_revoke;
    change.token_id = credentials::looks_like_api_token(request.id())
                          ? auth::token_id_of(credentials::api_token_hash(request.id()))
                          : std::move(*request.mutable_id());
    changes().auth_change(
        std::move(change),
        answer<RevokeTokenCall, Revision>([](RevokeTokenCall& call, Revision revision) {
          call.reply(encode_header_only(call.tenant().header(), revision));
        }));
  }
};

}  // namespace

void register_api_tokens(Services& services, proxy::Router& router) {
  router.add_grpc("/lattice.v1.Tokens/Create", factory_of<CreateTokenCall>(services));
  router.add_grpc("/lattice.v1.Tokens/List", factory_of<ListTokensCall>(services));
  router.add_grpc("/lattice.v1.Tokens/Revoke", factory_of<RevokeTokenCall>(services));
}

}  // namespace lattice::etcd
