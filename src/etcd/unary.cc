#include "etcd/unary.h"

#include "etcd/error_table.h"

namespace lattice::etcd {

void UnaryCall::on_message(Bytes message) {
  if (started_ || ended()) return;  // a unary method has one request; more are nobody's
  started_ = true;
  if (Status status = admit(Kind::unary); !status.ok()) return reject(status);
  handle(tenant(), message.view());
}

void UnaryCall::on_half_close() {
  if (!started_) reject({Error::internal, "no request message"});
}

void UnaryCall::reply(ByteChain message) {
  if (mark_ended()) stream().reply(std::move(message));
}

void UnaryCall::reject(const Status& status) { finish(to_grpc(status)); }

void UnaryCall::finish(proxy::GrpcStatus status) {
  if (mark_ended()) stream().finish(std::move(status));
}

}  // namespace lattice::etcd
