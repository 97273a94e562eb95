// One connection to another node on which clients' requests are passed on: a stream that opens the
// session, and one for each request.
//
//   connecting (TCP, HTTP/2, handshake) -> ready -> ending (the node wants no further requests;
//   those that are open go on) -> over
//
// Thread: the loop's.
// Ownership: owns the connection; not destroyed inside a call of `on_change`, nor of a request's
//   events. Requests end before it is destroyed.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "peer/forwarded_head.h"
#include "peer/surroundings.h"
#include "proxy/http2_client.h"

namespace lattice::peer {

class ForwardLink final : private proxy::ClientStreamEvents {
 public:
  enum class State : uint8_t { connecting, ready, ending, over };

  // `on_change`: the state is another one; never inside the constructor.
  ForwardLink(Surroundings& around, proxy::ClientContext& context, const std::string& address,
              absl::AnyInvocable<void()> on_change);
  ~ForwardLink() override;

  State state() const { return state_; }
  // Why it is over.
  const std::string& reason() const { return reason_; }
  // As Http2Client has it.
  std::string_view failure() const { return client_->failure(); }
  bool takes_requests() const { return state_ == State::ready && client_->accepts_streams(); }
  size_t open_requests() const;

  // Requires: takes_requests(). The answer comes as it is framed.
  [[nodiscard]] std::unique_ptr<proxy::ClientStream> open(const ForwardedHead& head,
                                                          std::string_view path,
                                                          proxy::Metadata metadata,
                                                          proxy::ClientStreamEvents& events);
  // No further requests; over once none is open.
  void end();

 private:
  void on_message(Bytes message) override;
  void on_end(const proxy::ClientStreamEnd& end) override;
  void on_welcome(std::string_view message);
  void on_session(std::string_view message);
  void fail(const std::string& reason);
  void enter(State state);

  Surroundings& around_;
  absl::AnyInvocable<void()> on_change_;
  State state_ = State::connecting;
  std::string reason_;
  std::unique_ptr<ClientHandshake> handshake_;
  std::unique_ptr<FrameKeys> keys_;  // null: the handshake is not over
  std::unique_ptr<proxy::Http2Client> client_;
  std::unique_ptr<proxy::ClientStream> stream_;  // the session's
  std::unique_ptr<loop::TimerHandle> timer_;     // of connecting
  uint64_t session_ = 0;
  uint64_t last_number_ = 0;
};

}  // namespace lattice::peer
