// What all calls with a stream of responses share: they live until they are ended, by the client,
// by themselves, or by a shutdown.
// Thread: the connection's loop.
// Ownership: the transport's (proxy/call.h).
#pragma once

#include <deque>
#include <memory>

#include "etcd/service_call.h"

namespace lattice::etcd {

class StreamCall : public ServiceCall, public OpenCall {
 public:
  StreamCall(Services& services, proxy::ServerStream& stream)
      : ServiceCall(services, stream), OpenCall(services.open_calls) {}

  void on_message(Bytes message) final;
  void on_half_close() final;
  void on_cancel() final { close(); }
  void end(const Status& status) override { finish(status); }

 protected:
  bool ends_by_itself() const override { return false; }
  // Each request message; the tenant is there.
  virtual void on_request(std::string_view message) = 0;
  // No request follows; the stream may well go on.
  virtual void on_requests_end() {}
  // Whether a request over the tenant's rate is refused in the end, or only waits for its turn.
  virtual bool may_be_refused() const { return false; }
  // The call is over, whatever ended it: let go of what it holds. Called once; neither send() nor
  // finish() may follow.
  virtual void on_close() {}

  void finish(const Status& status);
  // Ends the call with whatever status.
  void refuse(proxy::GrpcStatus status);
  void reject(const Status& status) final { finish(status); }
  void send(ByteChain message) {
    if (ended()) return;
    Gate& gate = tenant().gate;
    if (gate.guarded()) gate.charge(message.size(), services().environment.now());
    stream().send(std::move(message));
  }
  template <class Message>
  void send_message(const Message& message) {
    send(ByteChain(serialize_message(message)));
  }

 private:
  void begin(const Status& status);
  void close();
  void serve_line();
  void serve_first();

  // Requests that wait, in order: until the tenant is loaded, then at its door, the first of them
  // for its time.
  std::deque<Bytes> line_;
  std::unique_ptr<replica::Timer> line_timer_;
  size_t line_bytes_ = 0;
  bool requests_ended_ = false;  // and on_requests_end() waits for the line to be empty
};

}  // namespace lattice::etcd
