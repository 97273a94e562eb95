#include "peer/forward_server.h"

#include <string>
#include <utility>
#include <vector>

#include "peer/method.h"
#include "peer/proved_call.h"

namespace lattice::peer {
namespace {

const proxy::GrpcStatus leaving_status{proxy::GrpcCode::unavailable, "the node is stopping"};

// The client's stream, as far as another node can stand for it.
class ForwardedStream final : public proxy::ServerStream {
 public:
  ForwardedStream(proxy::ServerStream& stream, ForwardedHead head)
      : stream_(stream), head_(std::move(head)), metadata_(stream.metadata()) {
    std::erase_if(metadata_, [](const auto& entry) { return entry.first == forwarded_header; });
  }

  const proxy::Metadata& metadata() const override { return metadata_; }
  std::string_view metadata(std::string_view name) const override {
    return name == forwarded_header ? std::string_view() : stream_.metadata(name);
  }
  std::optional<Instant> deadline() const override { return stream_.deadline(); }
  std::string_view peer() const override { return head_.client; }
  std::string_view method() const override { return stream_.method(); }
  const proxy::PeerCertificate* peer_certificate() const override {
    return head_.certificate ? &*head_.certificate : nullptr;
  }
  std::string_view server_name() const override { return head_.server_name; }
  const proxy::ForwardedFacts* forwarded() const override { return &head_.facts; }
  bool uses_gzip() const override { return stream_.uses_gzip(); }
  void add_header(std::string name, std::string value) override {
    stream_.add_header(std::move(name), std::move(value));
  }
  void send(ByteChain message) override { stream_.send(std::move(message)); }
  void send_framed(Bytes part) override { stream_.send_framed(std::move(part)); }
  void decline() override { declined_ = true; }
  void finish(proxy::GrpcStatus status) override {
    if (declined_ && status.code == proxy::GrpcCode::unavailable) {
      status.trailers.emplace_back(unserved_trailer, "1");
    }
    stream_.finish(std::move(status));
  }
  size_t pending_bytes() const override { return stream_.pending_bytes(); }
  void pause_input(bool paused) override { stream_.pause_input(paused); }
  void limit_messages(size_t bytes_max) override { stream_.limit_messages(bytes_max); }
  // The client's connection counts where it is; this one is several tenants'.
  bool belong_to(const proxy::SharedFlow&) override { return true; }
  Duration overdue() const override { return stream_.overdue(); }
  bool answers_pile_up() const override { return stream_.answers_pile_up(); }

 private:
  proxy::ServerStream& stream_;
  const ForwardedHead head_;
  proxy::Metadata metadata_;
  bool declined_ = false;
};

}  // namespace

class ForwardServer::Session final : public ProvedCall {
 public:
  Session(ForwardServer& server, proxy::ServerStream& stream)
      : ProvedCall(server.around_, server.trouble_, stream), server_(server) {}

  void leave() { finish(leaving_status); }

 private:
  const Keyring* keyring_of(std::string_view cluster) override {
    return cluster == server_.around_.cluster ? &server_.around_.keyring : nullptr;
  }
  void on_proved(FrameKeys keys) override {
    if (server_.leaving_) return leave();
    id_ = ++server_.last_id_;
    server_.known_.insert_or_assign(id_, Known{std::move(keys.client)});
    server_.sessions_[id_] = this;
    stream().send(ByteChain(keys.server.seal(encode_session(id_))));
  }
  void on_proved_message(std::string_view) override { refuse("an unexpected message"); }
  void on_end() override {
    server_.sessions_.erase(id_);
    // Of a server that leaves, requests may still be on their way.
    if (!server_.leaving_) server_.known_.erase(id_);
  }

  ForwardServer& server_;
  uint64_t id_ = 0;
};

class ForwardServer::Request final : public proxy::Call {
 public:
  Request(proxy::ServerStream& stream, ForwardedHead head, const proxy::CallFactory& service)
      : stream_(stream, std::move(head)), call_(service(stream_)) {}

  void on_message(Bytes message) override { call_->on_message(std::move(message)); }
  void on_half_close() override { call_->on_half_close(); }
  void on_sent(size_t bytes) override { call_->on_sent(bytes); }
  // The transport destroys its calls later, perhaps after what this one uses.
  void on_cancel() override {
    call_->on_cancel();
    call_.reset();
  }

 private:
  ForwardedStream stream_;
  std::unique_ptr<proxy::Call> call_;
};

void ForwardServer::register_with(proxy::Router& port, const proxy::Router& services) {
  port.add_grpc(forward_path, [this](proxy::ServerStream& stream) {
    return std::make_unique<Session>(*this, stream);
  });
  for (const std::string& path : services.grpc_paths()) {
    port.add_grpc(path, [this, &service = *services.find_grpc(path)](proxy::ServerStream& stream) {
      return start(stream, service);
    });
  }
}

void ForwardServer::leave() {
  leaving_ = true;
  std::vector<Session*> open;
  for (const auto& [id, session] : sessions_) open.push_back(session);
  for (Session* session : open) session->leave();
}

std::unique_ptr<proxy::Call> ForwardServer::start(proxy::ServerStream& stream,
                                                  const proxy::CallFactory& service) {
  std::optional<ForwardedHead> head = believe(stream);
  if (head) return std::make_unique<Request>(stream, *std::move(head), service);
  const std::string why = "a request that no node of this cluster has passed on";
  trouble_.tell(std::string(stream.peer().substr(0, stream.peer().rfind(':'))), why);
  stream.finish({proxy::GrpcCode::unauthenticated, why});
  return std::make_unique<proxy::EndedCall>();
}

std::optional<ForwardedHead> ForwardServer::believe(const proxy::ServerStream& stream) {
  const std::optional<SealedHead> sealed = parse_sealed_head(stream.metadata(forwarded_header));
  if (!sealed) return std::nullopt;
  const auto known = known_.find(sealed->session);
  if (known == known_.end() || sealed->number <= known->second.newest) return std::nullopt;
  std::optional<ForwardedHead> head = open_head(*sealed, stream.method(), known->second.key);
  if (head) known->second.newest = sealed->number;
  return head;
}

}  // namespace lattice::peer
