// What all calls with a stream of responses share: they live until they are ended, by the client,
// by themselves, or by a shutdown.
// Thread: the connection's loop.
// Ownership: the transport's (proxy/call.h).
#pragma once

#include <deque>

#include "etcd/service_call.h"

namespace lattice::etcd {

class StreamCall : public ServiceCall, public OpenCall {
 public:
  StreamCall(Services& services, proxy::ServerStream& stream)
      : ServiceCall(services, stream), OpenCall(services.open_calls) {}

  void on_message(Bytes message) final;
  void on_cancel() final { close(); }
  void end(const Status& status) override { finish(status); }

 protected:
  bool ends_by_itself() const override { return false; }
  // Each request message; the tenant is there.
  virtual void on_request(std::string_view message) = 0;
  // The call is over, whatever ended it: let go of what it holds. Called once; neither send() nor
  // finish() may follow.
  virtual void on_close() {}
  // Requests have come before the tenant was there; on_request() gets them yet.
  bool waiting() const { return !waiting_.empty(); }

  void finish(const Status& status);
  void reject(const Status& status) final { finish(status); }
  void send(ByteChain message) {
    if (!ended()) stream().send(std::move(message));
  }
  template <class Message>
  void send_message(const Message& message) {
    send(ByteChain(serialize_message(message)));
  }

 private:
  void begin(const Status& status);
  void close();

  std::deque<Bytes> waiting_;
};

}  // namespace lattice::etcd
