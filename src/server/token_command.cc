#include "server/token_command.h"

#include <json/value.h>
#include <json/writer.h>

#include <ctime>
#include <memory>
#include <optional>
#include <ostream>
#include <utility>

#include "proto/lattice/v1/tokens.pb.h"
#include "proxy/http2_client.h"
#include "server/client_endpoint.h"
#include "server/exit_status.h"

namespace lattice::server {
namespace {

constexpr Duration token_patience = std::chrono::seconds(20);
constexpr std::string_view auth_is_off = "etcdserver: authentication is not enabled";

// 2027-02-19T08:00:00Z
std::string to_time(int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

// One unary call and how it ended.
class OneCall final : public proxy::ClientStreamEvents {
 public:
  OneCall(loop::Loop& loop, proxy::Http2Client& client, std::string_view path,
          const proxy::Metadata& metadata, const std::string& request)
      : loop_(loop), stream_(client.open(path, metadata, *this)) {
    stream_->send(ByteChain(Bytes::copy(request)));
    stream_->half_close();
    const auto timer = loop_.after(token_patience, [this] { loop_.stop(); });
    loop_.run();
  }
  void on_message(Bytes message) override { answer_ = std::string(message.view()); }
  void on_end(const proxy::ClientStreamEnd& end) override {
    end_ = end.status;
    loop_.stop();
  }
  const std::string& answer() const { return answer_; }
  proxy::GrpcStatus status() const {
    return end_.value_or(proxy::GrpcStatus{proxy::GrpcCode::unavailable, "no answer"});
  }

 private:
  loop::Loop& loop_;
  std::string answer_;
  std::optional<proxy::GrpcStatus> end_;
  std::unique_ptr<proxy::ClientStream> stream_;
};

class TokenTool {
 public:
  TokenTool(const TokenCommand& command, std::ostream& out, std::ostream& err)
      : command_(command), out_(out), err_(err) {}

  int run() {
    if (Status status = connect(); !status.ok()) {
      err_ << "error: " << status.detail() << "\n";
      return exit_configuration;
    }
    if (!command_.tenant.empty()) metadata_.emplace_back("lattice-tenant", command_.tenant);
    if (!command_.token.empty()) metadata_.emplace_back("authorization", command_.token);
    if (!command_.user.empty() && !log_in()) return status_;
    switch (command_.action) {
      case TokenCommand::Action::create:
        create();
        break;
      case TokenCommand::Action::list:
        list();
        break;
      case TokenCommand::Action::revoke:
        revoke();
        break;
    }
    return status_;
  }

 private:
  Status connect() {
    const Result<ClientEndpoint> endpoint = client_endpoint(command_.endpoint, command_.tls, "h2");
    if (!endpoint.ok()) return endpoint.status();
    proxy::ClientOptions options;
    if (endpoint->context != nullptr) {
      options.tls = std::make_shared<tls::Source>(endpoint->context);
    }
    client_ = std::make_unique<proxy::Http2Client>(context_, endpoint->address, options,
                                                   [](const Status&) {});
    return {};
  }

  template <class Response, class Request>
  std::optional<Response> call(std::string_view path, const Request& request) {
    const OneCall call(loop_, *client_, path, metadata_, request.SerializeAsString());
    const proxy::GrpcStatus status = call.status();
    Response response;
    if (status.code == proxy::GrpcCode::ok && response.ParseFromString(call.answer())) {
      return response;
    }
    refusal_ = status.message;
    status_ = status.code == proxy::GrpcCode::unavailable ? exit_backend_unavailable : exit_failure;
    return std::nullopt;
  }
  void complain() { err_ << "error: " << command_.endpoint << ": " << refusal_ << "\n"; }

  // As etcdctl: a login where nobody logs in is no mistake.
  bool log_in() {
    const size_t colon = command_.user.find(':');
    etcdserverpb::AuthenticateRequest request;
    request.set_name(command_.user.substr(0, colon));
    if (colon != command_.user.npos) request.set_password(command_.user.substr(colon + 1));
    const auto response =
        call<etcdserverpb::AuthenticateResponse>("/etcdserverpb.Auth/Authenticate", request);
    if (response) {
      metadata_.emplace_back("token", response->token());
    } else if (refusal_ != auth_is_off) {
      complain();
      return false;
    }
    status_ = 0;
    return true;
  }

  void create() {
    v1::CreateTokenRequest request;
    request.set_user(command_.name);
    for (const std::string& role : command_.roles) request.add_roles(role);
    request.set_read_only(command_.read_only);
    request.set_comment(command_.comment);
    request.set_ttl(command_.ttl_seconds);
    const auto made = call<v1::CreateTokenResponse>("/lattice.v1.Tokens/Create", request);
    if (!made) return complain();
    if (command_.json) {
      Json::Value json = to_json(made->token());
      json["token"] = made->secret();
      return print(json);
    }
    // Alone on its line, for TOKEN=$(lattice token create ...).
    out_ << made->secret() << "\n";
    err_ << "token " << made->token().id() << " of user " << made->token().user() << ", "
         << (made->token().expires() == 0 ? std::string("for good")
                                          : "until " + to_time(made->token().expires()))
         << "; it cannot be shown again\n";
  }

  void list() {
    const auto found =
        call<v1::ListTokensResponse>("/lattice.v1.Tokens/List", v1::ListTokensRequest());
    if (!found) return complain();
    if (command_.json) {
      Json::Value json;
      json["tokens"] = Json::Value(Json::arrayValue);
      for (const v1::Token& token : found->tokens()) json["tokens"].append(to_json(token));
      return print(json);
    }
    for (const v1::Token& token : found->tokens()) print(token);
  }

  void revoke() {
    v1::RevokeTokenRequest request;
    request.set_id(command_.name);
    if (!call<v1::RevokeTokenResponse>("/lattice.v1.Tokens/Revoke", request)) return complain();
    if (command_.json) return print(Json::Value(Json::objectValue));
    out_ << "revoked\n";
  }

  static Json::Value to_json(const v1::Token& token) {
    Json::Value json;
    json["id"] = token.id();
    json["user"] = token.user();
    json["roles"] = Json::Value(Json::arrayValue);
    for (const std::string& role : token.roles()) json["roles"].append(role);
    json["read_only"] = token.read_only();
    json["comment"] = token.comment();
    json["created"] = to_time(token.created());
    json["expires"] = token.expires() == 0 ? Json::Value() : Json::Value(to_time(token.expires()));
    return json;
  }
  void print(const Json::Value& json) {
    Json::StreamWriterBuilder form;
    form["indentation"] = "";
    out_ << Json::writeString(form, json) << "\n";
  }
  void print(const v1::Token& token) {
    out_ << token.id() << "  " << token.user() << "  "
         << (token.expires() == 0 ? std::string("for good") : to_time(token.expires())) << "  "
         << (token.read_only() ? "read-only" : "read-write");
    for (int i = 0; i < token.roles_size(); ++i) {
      out_ << (i == 0 ? "  roles " : ",") << token.roles(i);
    }
    if (!token.comment().empty()) out_ << "  " << token.comment();
    out_ << "\n";
  }

  const TokenCommand& command_;
  std::ostream& out_;
  std::ostream& err_;
  loop::Loop loop_;
  proxy::ClientContext context_{loop_};
  std::unique_ptr<proxy::Http2Client> client_;
  proxy::Metadata metadata_;
  std::string refusal_;
  int status_ = 0;
};

}  // namespace

int run_token_command(const TokenCommand& command, std::ostream& out, std::ostream& err) {
  return TokenTool(command, out, err).run();
}

}  // namespace lattice::server
