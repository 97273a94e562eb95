// What all unary calls share: one request message in, one answer out, checks before anything else.
// Thread: the connection's loop. Ownership: the transport's (proxy/call.h).
#pragma once

#include "etcd/call_ref.h"
#include "etcd/decode.h"
#include "etcd/services.h"
#include "proxy/call.h"

namespace lattice::etcd {

// The checks that precede every handler (etcd-v3.md 1.0), and the tenant that the call concerns.
// Errors: invalid_client_api_version, no_leader, and whatever the tenant table says.
enum class CallKind : uint8_t { unary, stream };
Result<Tenant*> admit(Services& services, const proxy::ServerStream& stream, CallKind kind);

class UnaryCall : public proxy::Call {
 public:
  UnaryCall(Services& services, proxy::ServerStream& stream)
      : services_(services), stream_(stream), anchor_(this) {}

  void on_message(Bytes message) final;
  void on_half_close() final;
  void on_cancel() final {
    if (ended_) return;
    ended_ = true;
    on_gone();
  }

 protected:
  // The request, once; must lead to reply() or fail(), now or later.
  virtual void handle(Tenant& tenant, std::string_view message) = 0;

  // The client has left before the answer.
  virtual void on_gone() {}
  // A failure of the operation itself.
  virtual void fail(const Status& status);

  // Each ends the call; what comes after the end is dropped.
  void reply(ByteChain message);
  void reject(const Status& status);  // by the checks before the operation
  void finish(proxy::GrpcStatus status);

  bool ended() const { return ended_; }
  Services& services() { return services_; }
  proxy::ServerStream& stream() { return stream_; }
  // Requires: the request has been handed to handle().
  Tenant& tenant() { return *tenant_; }

  // A callback for the Api: fails the call with an error or hands the value to `then(call, value)`.
  template <class CallType, class Value, class Then>
  auto answer(Then then) {
    return [self = anchor_.ref<UnaryCall>(), then](Result<Value> result) {
      UnaryCall* call = self.get();
      if (call == nullptr || call->ended_) return;
      if (!result.ok()) return call->fail(result.status());
      then(static_cast<CallType&>(*call), *result);
    };
  }

  // Decodes, and fails the call for bytes that are no such message: then null.
  template <class Message>
  bool decode_into(std::string_view bytes, Message* message) {
    if (message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return true;
    reject(unmarshal_error());
    return false;
  }
  // Sends a generated message whose header, if it has one, was filled.
  template <class Message>
  void reply_message(const Message& message) {
    char* data = nullptr;
    size_t size = message.ByteSizeLong();
    Bytes bytes = Bytes::allocate(size, &data);
    message.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(data));
    reply(ByteChain(std::move(bytes)));
  }

 private:
  Services& services_;
  proxy::ServerStream& stream_;
  Tenant* tenant_ = nullptr;
  bool started_ = false;
  bool ended_ = false;
  CallAnchor anchor_;
};

template <class CallType>
proxy::CallFactory factory_of(Services& services) {
  return [&services](proxy::ServerStream& stream) -> std::unique_ptr<proxy::Call> {
    return std::make_unique<CallType>(services, stream);
  };
}

// Fills a generated ResponseHeader.
template <class HeaderMessage>
void fill_header(const Tenant& tenant, Revision revision, HeaderMessage* header) {
  header->set_cluster_id(tenant.identity.cluster_id());
  header->set_member_id(tenant.identity.member_id());
  header->set_revision(revision.value);
  header->set_raft_term(tenant.raft_term());
}

}  // namespace lattice::etcd
