#include "etcd/stream_call.h"

namespace lattice::etcd {

void StreamCall::on_message(Bytes message) {
  if (ended_) return;
  if (tenant_ == nullptr) {
    Result<Tenant*> tenant = admit(services_, stream_, CallKind::stream);
    if (!tenant.ok()) return finish(tenant.status());
    tenant_ = *tenant;
  }
  on_request(message.view());
}

void StreamCall::finish(const Status& status) {
  if (ended_) return;
  close();
  stream_.finish(status.ok() ? proxy::GrpcStatus{} : to_grpc(status));
}

void StreamCall::close() {
  if (ended_) return;
  ended_ = true;
  on_close();
}

}  // namespace lattice::etcd
