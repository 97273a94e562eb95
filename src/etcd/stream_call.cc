#include "etcd/stream_call.h"

#include "etcd/error_table.h"

namespace lattice::etcd {

void StreamCall::on_message(Bytes message) {
  if (ended()) return;
  if (!admitted()) {
    if (Status status = admit(Kind::stream); !status.ok()) return finish(status);
  } else {
    identify();
  }
  on_request(message.view());
}

void StreamCall::finish(const Status& status) {
  if (ended()) return;
  close();
  stream().finish(status.ok() ? proxy::GrpcStatus{} : to_grpc(status));
}

void StreamCall::close() {
  if (mark_ended()) on_close();
}

}  // namespace lattice::etcd
