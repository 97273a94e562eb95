#include "etcd/stream_call.h"

#include "etcd/error_table.h"

namespace lattice::etcd {
namespace {
// Requests on a stream whose tenant is being loaded.
constexpr size_t waiting_max = 1000;
}  // namespace

void StreamCall::on_message(Bytes message) {
  if (ended()) return;
  if (admitted()) {
    identify();
    return on_request(message.view());
  }
  if (waiting_.size() >= waiting_max) return finish(Error::too_many_requests);
  waiting_.push_back(std::move(message));
  if (waiting_.size() == 1) begin(admit(Kind::stream));
}

void StreamCall::begin(const Status& status) {
  if (!status.ok()) return finish(status);
  if (!admitted()) return when_loaded([this] { begin(find_tenant()); });
  while (!waiting_.empty() && !ended()) {
    const Bytes message = std::move(waiting_.front());
    waiting_.pop_front();
    on_request(message.view());
  }
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
