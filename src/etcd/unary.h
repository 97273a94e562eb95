// What all unary calls share: one request message in, one answer out.
// Thread: the connection's loop. Ownership: the transport's (proxy/call.h).
#pragma once

#include <optional>

#include "etcd/service_call.h"

namespace lattice::etcd {

class UnaryCall : public ServiceCall {
 public:
  UnaryCall(Services& services, proxy::ServerStream& stream) : ServiceCall(services, stream) {
    ++services.running_calls;
  }
  ~UnaryCall() override;

  void on_message(Bytes message) final;
  void on_half_close() final;
  void on_cancel() final {
    if (mark_ended()) on_gone();
  }
  // admission_s: its tenant was loaded, and it waited at the tenant's limits. queued_s: for its
  // batch. appended_s: until that was durable. fenced_s: instead of both, a read for its fence.
  // applied_s: the rest, in which the batch is applied and the answer made.
  void describe(Instant since, Instant until, proxy::CallNotes* notes) const override;

 protected:
  bool ends_by_itself() const override { return true; }
  // The request, once; must lead to reply() or fail(), now or later.
  virtual void handle(Tenant& tenant, std::string_view message) = 0;
  // The client has left before the answer.
  virtual void on_gone() {}

  // Each ends the call; what comes after the end is dropped.
  void reply(ByteChain message);
  template <class Message>
  void reply_message(const Message& message) {
    reply(ByteChain(serialize_message(message)));
  }
  void reject(const Status& status) final;
  void finish(proxy::GrpcStatus status);

 private:
  bool may_begin_again() const final { return again_.has_value() && times_begun_ < begins_max; }
  void begin_again() final;
  void begin(const Status& status, Bytes message);
  // At the tenant's door: what a call needs while it waits there and to leave.
  struct Visit {
    Bytes message;
    Instant give_up;
    std::unique_ptr<replica::Timer> timer;
    size_t waiting_bytes = 0;  // that the door counts
    bool inside = false;
  };
  void ask_to_enter(Bytes message);
  void leave_line();
  void leave_gate();
  void enter();
  void wait(Duration delay);

  // Each time the tenant has another handle, as a rule.
  static constexpr int begins_max = 10;

  bool started_ = false;
  int times_begun_ = 0;
  std::optional<Bytes> again_;    // the message, of what may be begun again
  Instant let_in_{};              // if it had to wait before it was handled
  std::unique_ptr<Visit> visit_;  // null where nobody guards the door
};

// A unary call that is one operation of the replica.
class OneOperationCall : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  bool is_one_operation() const final { return true; }
};

}  // namespace lattice::etcd
