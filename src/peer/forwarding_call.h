// A client's call that another node serves: its messages there, the answer's bytes back as they
// come, both under flow control; deadline, cancellation, metadata, trailers and status pass
// through.
//
// A request goes to the first of the nodes that can be reached. It is sent again, to the next one,
// only while it is certain that no node has acted on it; what is lost later is answered as etcd
// answers a lost connection, because nobody knows.
//
// Thread: the connection's loop.
// Ownership: the transport's (proxy/call.h); the ForwardClient outlives it.
// Limits: of a call, it holds a message and some hundred kilobytes each way.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "peer/forward_client.h"
#include "proxy/call.h"

namespace lattice::peer {

// By which etcd's clients know that no node has seen the request, so that they may repeat a write.
inline constexpr const char* unreachable_text = "there is no connection available";

class ForwardingCall : public proxy::Call {
 public:
  enum class Outcome : uint8_t {
    answered,     // by the node that serves it
    unreachable,  // no node could be reached
    lost,         // while the node had it
    canceled,     // by the client, by its deadline, or because this node stops
  };
  struct Route {
    std::vector<std::string> addresses;  // at which nodes serve the tenant, the preferred one first
    proxy::ForwardedFacts facts;
  };

  ForwardingCall(loop::Loop& loop, ForwardClient& client, proxy::ServerStream& stream, Route route);
  ~ForwardingCall() override;

  void on_message(Bytes message) final;
  void on_half_close() final;
  void on_sent(size_t bytes) final;
  void on_cancel() final;

 protected:
  // Once; nothing of the call follows.
  virtual void on_over(Outcome outcome) = 0;
  // This node ends it.
  void end(proxy::GrpcStatus status);

 private:
  class Upstream;

  void attempt();
  void open(const std::string& address);
  proxy::Metadata metadata() const;
  void push(const Bytes& message);
  void pause_client();
  void on_upstream_end(const proxy::ClientStreamEnd& end);
  void finish(Outcome outcome, proxy::GrpcStatus status);

  loop::Loop& loop_;
  ForwardClient& client_;
  proxy::ServerStream& stream_;
  const std::vector<std::string> addresses_;
  ForwardedHead head_;
  size_t attempts_ = 0;
  std::unique_ptr<Upstream> upstream_;  // null: no node has it
  // What was sent, for as long as it may be sent again; before there is an upstream, all there is.
  std::vector<Bytes> kept_;
  size_t kept_bytes_ = 0;
  bool repeatable_ = true;
  bool half_closed_ = false;
  bool client_paused_ = false;
  bool over_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lattice::peer
