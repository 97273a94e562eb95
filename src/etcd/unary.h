// What all unary calls share: one request message in, one answer out.
// Thread: the connection's loop. Ownership: the transport's (proxy/call.h).
#pragma once

#include "etcd/service_call.h"

namespace lattice::etcd {

class UnaryCall : public ServiceCall {
 public:
  UnaryCall(Services& services, proxy::ServerStream& stream) : ServiceCall(services, stream) {
    ++services.running_calls;
  }
  ~UnaryCall() override { --services().running_calls; }

  void on_message(Bytes message) final;
  void on_half_close() final;
  void on_cancel() final {
    if (mark_ended()) on_gone();
  }

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
  void begin(const Status& status, Bytes message);

  bool started_ = false;
};

}  // namespace lattice::etcd
