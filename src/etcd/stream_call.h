// What all calls with a stream of responses share: they live until they are ended, by the client,
// by themselves, or by a shutdown.
// Thread: the connection's loop.
// Ownership: the transport's (proxy/call.h).
#pragma once

#include "etcd/call_ref.h"
#include "etcd/error_table.h"
#include "etcd/services.h"
#include "etcd/unary.h"
#include "proxy/call.h"

namespace lattice::etcd {

class StreamCall : public proxy::Call, public OpenCall {
 public:
  StreamCall(Services& services, proxy::ServerStream& stream)
      : OpenCall(services.open_calls), services_(services), stream_(stream), anchor_(this) {}

  void on_message(Bytes message) final;
  void on_cancel() final { close(); }
  void end(const Status& status) override { finish(status); }

 protected:
  // Each request message; the tenant is there.
  virtual void on_request(std::string_view message) = 0;
  // The call is over, whatever ended it: let go of what it holds. Called once; neither send() nor
  // finish() may follow.
  virtual void on_close() {}

  void finish(const Status& status);
  void send(ByteChain message) {
    if (!ended_) stream_.send(std::move(message));
  }
  template <class Message>
  void send_message(const Message& message) {
    char* data = nullptr;
    Bytes bytes = Bytes::allocate(message.ByteSizeLong(), &data);
    message.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(data));
    send(ByteChain(std::move(bytes)));
  }

  bool ended() const { return ended_; }
  Services& services() { return services_; }
  proxy::ServerStream& stream() { return stream_; }
  // Requires: a request has arrived.
  Tenant& tenant() { return *tenant_; }

  // As UnaryCall::answer.
  template <class CallType, class Value, class Then>
  auto answer(Then then) {
    return [self = anchor_.ref<StreamCall>(), then](Result<Value> result) {
      StreamCall* call = self.get();
      if (call == nullptr || call->ended_) return;
      if (!result.ok()) return call->finish(result.status());
      then(static_cast<CallType&>(*call), *result);
    };
  }

 private:
  void close();

  Services& services_;
  proxy::ServerStream& stream_;
  Tenant* tenant_ = nullptr;
  bool ended_ = false;
  CallAnchor anchor_;
};

}  // namespace lattice::etcd
