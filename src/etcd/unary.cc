#include "etcd/unary.h"

#include "etcd/error_table.h"

namespace lattice::etcd {

void UnaryCall::on_message(Bytes message) {
  if (started_ || ended()) return;  // a unary method has one request; more are nobody's
  started_ = true;
  begin(admit(Kind::unary), std::move(message));
}

void UnaryCall::begin(const Status& status, Bytes message) {
  if (!status.ok()) return reject(status);
  if (admitted()) return handle(tenant(), message.view());
  when_loaded(
      [this, message = std::move(message)]() mutable { begin(find_tenant(), std::move(message)); });
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
