#include "etcd/stream_call.h"

#include "etcd/error_table.h"

namespace lattice::etcd {
namespace {

// A client that waits for answers never gets near.
constexpr size_t line_max = 1000;
constexpr size_t line_bytes_max = 1 << 20;

}  // namespace

void StreamCall::on_message(Bytes message) {
  if (ended()) return;
  if (admitted() && !tenant().gate.guarded() && line_.empty()) {
    identify();
    keep_request(message);
    return on_request(message.view());
  }
  if (line_.size() >= line_max || line_bytes_ >= line_bytes_max) {
    if (!admitted()) return finish(Error::too_many_requests);
    return refuse(tenant().gate.reject(services().environment.now()));
  }
  line_bytes_ += message.size();
  line_.push_back(std::move(message));
  if (line_.size() > 1) return;  // whoever waits for the first takes this one, too
  if (admitted()) return serve_line();
  begin(admit(Kind::stream));
}

void StreamCall::begin(const Status& status) {
  if (!status.ok()) return finish(status);
  if (!admitted()) return when_loaded([this] { begin(find_tenant()); });
  serve_line();
}

void StreamCall::on_half_close() {
  if (line_.empty()) return on_requests_end();
  requests_ended_ = true;
}

void StreamCall::serve_line() {
  while (!line_.empty() && !ended()) {
    Gate& gate = tenant().gate;
    const Instant now = services().environment.now();
    Duration wait{};
    if (gate.guarded() && may_be_refused()) {
      const Gate::Verdict verdict = gate.admit(line_.front().size(), now);
      if (!verdict.admitted) return refuse(gate.refusal(verdict.wait, now));
      wait = verdict.wait;
    } else if (gate.guarded()) {
      wait = gate.admit_message(line_.front().size(), now);
    }
    if (wait > Duration{}) {
      line_timer_ = services().environment.after(wait, [this] {
        if (ended()) return;
        serve_first();
        serve_line();
      });
      return;
    }
    serve_first();
  }
}

void StreamCall::serve_first() {
  const Bytes message = std::move(line_.front());
  line_.pop_front();
  line_bytes_ -= message.size();
  identify();
  keep_request(message);
  on_request(message.view());
  if (line_.empty() && requests_ended_ && !ended()) on_requests_end();
}

void StreamCall::refuse(proxy::GrpcStatus status) {
  audit_end(status);
  close();
  stream().finish(std::move(status));
}

void StreamCall::finish(const Status& status) {
  if (ended()) return;
  refuse(status.ok() ? proxy::GrpcStatus{} : to_grpc(status));
}

void StreamCall::close() {
  if (mark_ended()) on_close();
}

}  // namespace lattice::etcd
