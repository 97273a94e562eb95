#include "peer/proved_call.h"

#include <utility>

namespace lattice::peer {
namespace {

// Without the port, which changes with each connection.
std::string host_of(std::string_view peer) { return std::string(peer.substr(0, peer.rfind(':'))); }

}  // namespace

ProvedCall::ProvedCall(PortSurroundings& around, TroubleLog& trouble, proxy::ServerStream& stream)
    : around_(around), trouble_(trouble), stream_(stream) {
  if (around.handshakes >= around.limits.handshakes_max) {
    closed_ = true;
    stream.finish({proxy::GrpcCode::resource_exhausted, "too many handshakes"});
    return;
  }
  ++around.handshakes;
  proving_ = true;
  stream.limit_messages(ServerHandshake::message_bytes_max);
  timer_ = around.loop.after(around.limits.handshake_timeout,
                             [this] { refuse("no handshake in time"); });
}

void ProvedCall::end_handshake() {
  timer_.reset();
  if (std::exchange(proving_, false)) --around_.handshakes;
  handshake_.reset();
}

void ProvedCall::close() {
  if (std::exchange(closed_, true)) return;
  end_handshake();
  on_end();
}

void ProvedCall::finish(proxy::GrpcStatus status) {
  if (closed_) return;
  close();
  stream_.finish(std::move(status));
}

void ProvedCall::refuse(const std::string& why) {
  trouble_.tell(host_of(stream_.peer()), why);
  finish({proxy::GrpcCode::unauthenticated, why});
}

void ProvedCall::on_message(Bytes message) {
  if (closed_) return;
  if (!proving_) return on_proved_message(message.view());
  handshake_ == nullptr ? on_hello(message.view()) : on_proof(message.view());
}

void ProvedCall::on_half_close() { finish({}); }

void ProvedCall::on_cancel() { close(); }

void ProvedCall::on_hello(std::string_view message) {
  Result<std::string> cluster = ServerHandshake::cluster_of(message);
  if (!cluster.ok()) return refuse(cluster.status().detail());
  const Keyring* const keyring = keyring_of(*cluster);
  if (keyring == nullptr) {
    return refuse("a node of another cluster, or of a database that is not open here");
  }
  Nonce nonce;
  around_.random_bytes(nonce);
  handshake_ = std::make_unique<ServerHandshake>(*keyring, std::move(*cluster), nonce);
  Result<std::string> welcome = handshake_->on_hello(message);
  if (!welcome.ok()) return refuse(welcome.status().detail());
  stream_.send(ByteChain(Bytes::copy(*welcome)));
}

void ProvedCall::on_proof(std::string_view message) {
  Result<FrameKeys> keys = handshake_->on_proof(message);
  if (!keys.ok()) return refuse(keys.status().detail());
  end_handshake();
  stream_.limit_messages(SIZE_MAX);  // the listener's limit holds
  on_proved(std::move(*keys));
}

}  // namespace lattice::peer
