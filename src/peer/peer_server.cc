#include "peer/peer_server.h"

#include <memory>
#include <optional>
#include <utility>

#include "peer/codec.h"
#include "peer/method.h"
#include "peer/outbox.h"
#include "peer/proved_call.h"

namespace lattice::peer {

// One stream of one node.
class PeerServer::Connection final : public ProvedCall {
 public:
  Connection(PeerServer& server, proxy::ServerStream& stream)
      : ProvedCall(server.around_, server.trouble_, stream), server_(server) {}

 private:
  const Keyring* keyring_of(std::string_view cluster) override {
    const auto found = server_.realms_.find(cluster);
    if (found == server_.realms_.end()) return nullptr;
    realm_ = found->second.get();
    return &realm_->keyring_;
  }
  void on_proved(FrameKeys keys) override {
    incoming_.emplace(std::move(keys.client));
    outbox_ = std::make_shared<Outbox>(server_.around_.loop, stream(), std::move(keys.server));
  }
  void on_proved_message(std::string_view message) override {
    const std::optional<std::string_view> bytes = incoming_->open(message);
    if (!bytes) return refuse("a call is not authentic");
    std::optional<DecodedFrame> frame = decode_frame(*bytes);
    if (!frame) return refuse("a malformed call");
    for (DecodedCall& call : frame->calls) {
      if (closed()) return;
      serve(std::move(call));
    }
  }
  void on_end() override {
    if (outbox_ != nullptr) outbox_->close();
  }

  void serve(DecodedCall call) {
    ++realm_->calls_;
    const auto service = realm_->services_.find(call.log);
    replica::PeerReply refusal;
    if (!call.request.ok()) {
      refusal.answer = call.request.status();
    } else if (service == realm_->services_.end()) {
      refusal.answer = Error::not_leader;
    } else if (outbox_->expected() >= server_.around_.limits.calls_in_flight_max) {
      refusal.answer = Error::too_many_requests;
    } else {
      return service->second->serve(std::move(*call.request), outbox_->expect(call.id));
    }
    outbox_->answer(call.id, refusal);
  }

  PeerServer& server_;
  Realm* realm_ = nullptr;  // null before the hello
  std::optional<FrameKey> incoming_;
  std::shared_ptr<Outbox> outbox_;  // null until the node has proved who it is
};

void PeerServer::register_with(proxy::Router& router) {
  router.add_grpc(connect_path, [this](proxy::ServerStream& stream) {
    return std::make_unique<Connection>(*this, stream);
  });
}

proxy::Limits PeerServer::listener_limits() const {
  proxy::Limits limits;
  limits.receive_message_bytes_max = around_.limits.message_bytes_max;
  // Of a node, one for each request that it passes on, whose metadata grows by what it says of
  // them.
  limits.concurrent_streams_max = 1 << 16;
  limits.header_list_bytes_max = 64 << 10;
  // The answers of many clients share a connection: one that takes none must not stop the others.
  limits.send_buffer_bytes_max = 64 << 20;
  limits.connections_max = 1000;
  limits.connection_idle_max = std::chrono::seconds(10);
  limits.preface_timeout = around_.limits.handshake_timeout;
  limits.keepalive_min_time = std::chrono::milliseconds(1);
  limits.keepalive_permit_without_stream = true;
  limits.keepalive_interval = std::chrono::seconds(10);
  limits.keepalive_timeout = std::chrono::seconds(10);
  limits.write_stall_max = std::chrono::seconds(10);
  return limits;
}

}  // namespace lattice::peer
