#include "peer/peer_server.h"

#include <memory>
#include <optional>
#include <utility>

#include "peer/codec.h"
#include "peer/handshake.h"
#include "peer/method.h"
#include "peer/outbox.h"

namespace lattice::peer {
namespace {

// Without the port, which changes with each connection.
std::string host_of(std::string_view peer) { return std::string(peer.substr(0, peer.rfind(':'))); }

Nonce fresh_nonce(Surroundings& around) {
  Nonce nonce;
  around.random_bytes(nonce);
  return nonce;
}

}  // namespace

// One stream of one node.
class PeerServer::Connection final : public proxy::Call {
 public:
  Connection(PeerServer& server, proxy::ServerStream& stream)
      : server_(server),
        stream_(stream),
        handshake_(std::make_unique<ServerHandshake>(server.around_.keyring, server.around_.cluster,
                                                     fresh_nonce(server.around_))) {
    stream.limit_messages(ServerHandshake::message_bytes_max);
    timer_ = server.around_.loop.after(server.around_.limits.handshake_timeout,
                                       [this] { refuse("no handshake in time"); });
  }
  ~Connection() override { on_cancel(); }

  void on_message(Bytes message) override {
    if (closed_) return;
    if (outbox_ != nullptr) return on_frame(message.view());
    welcomed_ ? on_proof(message.view()) : on_hello(message.view());
  }
  // The node has nothing more to ask, nor does it wait for answers.
  void on_half_close() override {
    if (closed_) return;
    on_cancel();
    stream_.finish({});
  }
  void on_cancel() override {
    closed_ = true;
    timer_.reset();
    if (outbox_ != nullptr) outbox_->close();
  }

 private:
  void refuse(const std::string& why) {
    server_.trouble_.tell(host_of(stream_.peer()), why);
    on_cancel();
    stream_.finish({proxy::GrpcCode::unauthenticated, why});
  }

  void on_hello(std::string_view message) {
    Result<std::string> welcome = handshake_->on_hello(message);
    if (!welcome.ok()) return refuse(welcome.status().detail());
    welcomed_ = true;
    stream_.send(ByteChain(Bytes::copy(*welcome)));
  }

  void on_proof(std::string_view message) {
    Result<FrameKeys> keys = handshake_->on_proof(message);
    if (!keys.ok()) return refuse(keys.status().detail());
    handshake_.reset();
    timer_.reset();
    incoming_.emplace(std::move(keys->client));
    outbox_ = std::make_shared<Outbox>(server_.around_.loop, stream_, std::move(keys->server));
    stream_.limit_messages(SIZE_MAX);  // the listener's limit holds
  }

  void on_frame(std::string_view message) {
    const std::optional<std::string_view> bytes = incoming_->open(message);
    if (!bytes) return refuse("a call is not authentic");
    std::optional<DecodedFrame> frame = decode_frame(*bytes);
    if (!frame) return refuse("a malformed call");
    for (DecodedCall& call : frame->calls) {
      if (closed_) return;
      serve(std::move(call));
    }
  }

  void serve(DecodedCall call) {
    ++server_.calls_;
    const auto service = server_.services_.find(call.log);
    replica::PeerReply refusal;
    if (!call.request.ok()) {
      refusal.answer = call.request.status();
    } else if (service == server_.services_.end()) {
      refusal.answer = Error::not_leader;
    } else if (outbox_->expected() >= server_.around_.limits.calls_in_flight_max) {
      refusal.answer = Error::too_many_requests;
    } else {
      return service->second->serve(std::move(*call.request), outbox_->expect(call.id));
    }
    outbox_->answer(call.id, refusal);
  }

  PeerServer& server_;
  proxy::ServerStream& stream_;
  std::unique_ptr<ServerHandshake> handshake_;  // null once it is over
  std::unique_ptr<loop::TimerHandle> timer_;    // of the handshake
  std::optional<FrameKey> incoming_;
  std::shared_ptr<Outbox> outbox_;  // null until the node has proved who it is
  bool welcomed_ = false;
  bool closed_ = false;
};

void PeerServer::register_with(proxy::Router& router) {
  router.add_grpc(connect_path, [this](proxy::ServerStream& stream) {
    return std::make_unique<Connection>(*this, stream);
  });
}

proxy::Limits PeerServer::listener_limits() const {
  proxy::Limits limits;
  limits.receive_message_bytes_max = around_.limits.message_bytes_max;
  limits.concurrent_streams_max = 4;  // a node needs one, and another while it replaces it
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
