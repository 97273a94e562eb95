#include "etcd/audit.h"

#include <google/protobuf/message.h>

#include <algorithm>
#include <array>
#include <memory>

#include "etcd/audit_txn.h"
#include "etcd/decode.h"
#include "etcd/error_table.h"
#include "etcd/methods.h"
#include "proto/rpc.pb.h"
#include "telemetry/grpc_metrics.h"

namespace lattice::etcd {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using proxy::GrpcCode;

std::string_view name_of(auth::Caller::Kind kind) {
  switch (kind) {
    case auth::Caller::Kind::invalid:
      return "invalid_token";
    case auth::Caller::Kind::signed_token:
      return "jwt";
    case auth::Caller::Kind::certificate:
      return "certificate";
    case auth::Caller::Kind::api_token:
      return "api_token";
    default:
      return "token";
  }
}

// Whom a certificate is for; the first name that it has.
std::string_view holder_of(const proxy::PeerCertificate& certificate) {
  if (!certificate.common_name.empty()) return certificate.common_name;
  if (!certificate.uris.empty()) return certificate.uris.front();
  return certificate.dns_names.empty() ? std::string_view() : certificate.dns_names.front();
}

// Errors that turn somebody away under another code than those of is_refusal().
constexpr Error refusals[] = {
    Error::permission_denied, Error::invalid_auth_token, Error::auth_failed,
    Error::user_empty,        Error::auth_old_revision,  Error::too_many_requests,
};

// What a refusal shows of a message's fields, and as what; nothing else of it is shown.
std::string_view label_of(const FieldDescriptor& field) {
  const std::string& name = field.name();
  const std::string& message = field.containing_type()->name();
  if (name == "key" || name == "range_end") return name;
  if (name == "user") return "target_user";
  if (name == "role") return "target_role";
  if (name != "name") return {};
  if (message.starts_with("AuthRole")) return "target_role";
  return message.starts_with("Auth") ? "target_user" : "name";
}

void describe_fields(const Message& message, AuditLine* line) {
  const google::protobuf::Reflection& look = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  look.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->is_repeated()) continue;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      describe_fields(look.GetMessage(message, field), line);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      const std::string_view label = label_of(*field);
      if (!label.empty()) line->text(label, look.GetString(message, field));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT64 &&
               (field->name() == "ID" || field->name() == "lease")) {
      line->lease(LeaseId(look.GetInt64(message, field)));
    }
  }
}

std::string_view name_of(auth::PermissionType type) {
  switch (type) {
    case auth::PermissionType::read:
      return "read";
    case auth::PermissionType::write:
      return "write";
    case auth::PermissionType::readwrite:
      return "readwrite";
  }
  return "other";
}

}  // namespace

void describe_call(const proxy::ServerStream& stream, const Tenant* tenant,
                   const auth::CallerRef& caller, AuditLine* line) {
  line->text("method", stream.method());
  if (tenant != nullptr) line->text("tenant", tenant->name);
  line->text("auth", caller == nullptr ? "none" : name_of(caller->kind));
  if (caller != nullptr) {
    line->text_if("user", caller->user);
    if (caller->kind == auth::Caller::Kind::api_token) {
      line->text("token_id", auth::token_id_of(caller->token_hash));
    }
  }
  if (const proxy::PeerCertificate* certificate = stream.peer_certificate()) {
    line->text("certificate", holder_of(*certificate));
  }
  line->text("remote", stream.peer());
  line->text_if("request_id", stream.metadata("x-request-id"));
}

bool is_refusal(const proxy::GrpcStatus& status) {
  if (status.code == GrpcCode::ok) return false;
  if (status.code == GrpcCode::permission_denied || status.code == GrpcCode::unauthenticated ||
      status.code == GrpcCode::resource_exhausted || status.message == no_password_text) {
    return true;
  }
  return std::ranges::any_of(refusals,
                             [&](Error error) { return status.message == error_text(error); });
}

void describe_end(const proxy::GrpcStatus& status, std::string_view outcome, AuditLine* line) {
  line->text("outcome", outcome);
  line->text("code", telemetry::grpc_code_name(static_cast<int>(status.code)));
  line->text_if("error", status.message);
}

void describe(const keyspace::KeyRange& range, AuditLine* line) {
  line->text("key", range.key).text_if("range_end", range.end);
}

void describe(const auth::Change& change, AuditLine* line) {
  line->text_if("target_user", change.user).text_if("target_role", change.role);
  if (change.no_password) line->flag("no_password");
  if (change.kind == auth::Change::Kind::role_grant) {
    line->text("permission", name_of(change.permission.type));
  }
  if (change.kind == auth::Change::Kind::role_grant ||
      change.kind == auth::Change::Kind::role_revoke) {
    describe({change.permission.key, change.permission.end}, line);
  }
  if (change.kind == auth::Change::Kind::token_create) {
    line->text("target_user", change.token.user)
        .text("target_token", auth::token_id_of(change.token.hash));
    if (change.token.read_only) line->flag("read_only");
  }
  line->text_if("target_token", change.token_id);
}

std::string_view name_of(auth::Change::Kind kind) {
  using Kind = auth::Change::Kind;
  switch (kind) {
    case Kind::enable:
      return "auth_enable";
    case Kind::disable:
      return "auth_disable";
    case Kind::user_add:
      return "user_add";
    case Kind::user_delete:
      return "user_delete";
    case Kind::user_change_password:
      return "user_change_password";
    case Kind::user_grant_role:
      return "user_grant_role";
    case Kind::user_revoke_role:
      return "user_revoke_role";
    case Kind::role_add:
      return "role_add";
    case Kind::role_delete:
      return "role_delete";
    case Kind::role_grant:
      return "role_grant_permission";
    case Kind::role_revoke:
      return "role_revoke_permission";
    case Kind::token_create:
      return "token_create";
    case Kind::token_revoke:
      return "token_revoke";
    default:
      return "auth_change";
  }
}

void describe_message(std::string_view method, const Bytes& message, AuditLine* line) {
  if (message.empty()) return;
  if (method == "/etcdserverpb.KV/Txn") {
    Result<keyspace::TxnRequest> request = decode_txn(message.view());
    if (request.ok()) TxnNotes(*request).describe(nullptr, line);
    return;
  }
  // "/package.Service/Method" is "package.Service.Method" to protobuf.
  std::string name(method.substr(std::min<size_t>(1, method.size())));
  std::ranges::replace(name, '/', '.');
  const auto* found = google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name);
  if (found == nullptr) return;
  const Message* prototype =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(found->input_type());
  const std::unique_ptr<Message> request(prototype->New());
  if (request->ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    describe_fields(*request, line);
  }
}

}  // namespace lattice::etcd
