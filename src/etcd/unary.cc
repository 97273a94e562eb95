#include "etcd/unary.h"

#include "etcd/error_table.h"
#include "etcd/utf8.h"

namespace lattice::etcd {

Result<Tenant*> admit(Services& services, const proxy::ServerStream& stream, CallKind kind) {
  bool has_leader_wanted = false;
  std::string_view version;
  for (const auto& [name, value] : stream.metadata()) {
    if (name == "client-api-version") version = value;
    if (name == "hasleader" && value == "true") has_leader_wanted = true;
  }
  if (!is_utf8(version)) return Error::invalid_client_api_version;
  if (services.client_requests != nullptr) {
    services.client_requests->count(kind == CallKind::stream, version);
  }
  if (services.draining) return Error::stopped;
  Result<Tenant*> tenant = services.tenants.find(stream);
  if (tenant.ok() && has_leader_wanted && !(*tenant)->api.has_leader()) return Error::no_leader;
  return tenant;
}

void UnaryCall::on_message(Bytes message) {
  if (started_ || ended_) return;  // a unary method has one request; more are nobody's
  started_ = true;
  Result<Tenant*> tenant = admit(services_, stream_, CallKind::unary);
  if (!tenant.ok()) return reject(tenant.status());
  tenant_ = *tenant;
  handle(**tenant, message.view());
}

void UnaryCall::on_half_close() {
  if (!started_) reject({Error::internal, "no request message"});
}

void UnaryCall::reply(ByteChain message) {
  if (ended_) return;
  ended_ = true;
  stream_.reply(std::move(message));
}

void UnaryCall::fail(const Status& status) { finish(to_grpc(status)); }

void UnaryCall::reject(const Status& status) { finish(to_grpc(status)); }

void UnaryCall::finish(proxy::GrpcStatus status) {
  if (ended_) return;
  ended_ = true;
  stream_.finish(std::move(status));
}

}  // namespace lattice::etcd
