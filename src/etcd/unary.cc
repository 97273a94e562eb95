#include "etcd/unary.h"

#include <chrono>
#include <utility>

#include "etcd/error_table.h"

namespace lattice::etcd {
namespace {

// How often a call that finds too many running looks again.
constexpr Duration look_interval = std::chrono::milliseconds(2);

}  // namespace

UnaryCall::~UnaryCall() {
  leave_gate();
  --services().running_calls;
}

void UnaryCall::on_message(Bytes message) {
  if (started_ || ended()) return;  // a unary method has one request; more are nobody's
  started_ = true;
  begin(admit(Kind::unary), std::move(message));
}

void UnaryCall::describe(Instant since, Instant until, proxy::CallNotes* notes) const {
  ServiceCall::describe(since, until, notes);
  if (!admitted()) return;
  const auto add = [&](std::string_view name, Instant from, Instant to) {
    if (to > from) notes->phases.emplace_back(name, to - from);
  };
  add("admission_s", since, let_in_);
  const replica::OperationTimes times = operation_times();
  if (times.asked == Instant::never()) return;
  if (times.submitted == Instant::never()) {
    add("fenced_s", times.asked, times.settled);
  } else {
    add("queued_s", times.asked, times.submitted);
    add("appended_s", times.submitted, times.settled);
  }
  add("applied_s", times.settled, until);
}

void UnaryCall::begin(const Status& status, Bytes message) {
  keep_request(message);
  if (!status.ok()) return reject(status);
  if (!admitted()) {
    return when_loaded([this, message = std::move(message)]() mutable {
      let_in_ = services().environment.now();
      begin(find_tenant(), std::move(message));
    });
  }
  ++times_begun_;
  if (tenant().may_move && is_one_operation()) again_ = message;
  if (tenant().gate.guarded()) return ask_to_enter(std::move(message));
  handle(tenant(), message.view());
}

void UnaryCall::begin_again() {
  leave_gate();
  leave_tenant();
  Bytes message = *std::exchange(again_, std::nullopt);
  begin(find_tenant(), std::move(message));
}

void UnaryCall::ask_to_enter(Bytes message) {
  Gate& gate = tenant().gate;
  const Instant now = services().environment.now();
  const Gate::Verdict verdict = gate.admit(message.size(), now);
  if (!verdict.admitted) return finish(gate.refusal(verdict.wait, now));
  visit_ = std::make_unique<Visit>(Visit{std::move(message), now + gate.limits().grace, nullptr});
  if (verdict.wait > Duration{}) return wait(verdict.wait);
  enter();
}

void UnaryCall::wait(Duration delay) {
  if (visit_->timer == nullptr) {
    Gate& gate = tenant().gate;
    const size_t bytes = visit_->message.size();
    if (!gate.line_up(bytes)) return finish(gate.reject(services().environment.now()));
    visit_->waiting_bytes = bytes;
  }
  visit_->timer = services().environment.after(delay, [this] { enter(); });
}

void UnaryCall::enter() {
  if (ended()) return;
  Gate& gate = tenant().gate;
  // What waits for others to end would keep its place for hours.
  visit_->inside = ends_by_itself() && gate.enter();
  if (ends_by_itself() && !visit_->inside) {
    const Instant now = services().environment.now();
    if (now >= visit_->give_up) return finish(gate.reject(now));
    return wait(look_interval);
  }
  leave_line();
  if (visit_->timer != nullptr) let_in_ = services().environment.now();
  const Bytes message = std::move(visit_->message);
  handle(tenant(), message.view());
}

void UnaryCall::leave_gate() {
  if (visit_ == nullptr) return;
  leave_line();
  if (visit_->inside) tenant().gate.leave();
  visit_.reset();
}

void UnaryCall::leave_line() { tenant().gate.leave_line(std::exchange(visit_->waiting_bytes, 0)); }

void UnaryCall::on_half_close() {
  if (!started_) reject({Error::internal, "no request message"});
}

void UnaryCall::reply(ByteChain message) {
  if (!mark_ended()) return;
  if (visit_ != nullptr) tenant().gate.charge(message.size(), services().environment.now());
  stream().reply(std::move(message));
}

void UnaryCall::reject(const Status& status) { finish(to_grpc(status)); }

void UnaryCall::finish(proxy::GrpcStatus status) {
  if (!mark_ended()) return;
  audit_end(status);
  stream().finish(std::move(status));
}

}  // namespace lattice::etcd
