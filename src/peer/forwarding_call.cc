#include "peer/forwarding_call.h"

#include <algorithm>
#include <utility>

#include "peer/method.h"
#include "proxy/grpc_text.h"
#include "proxy/request_head.h"

namespace lattice::peer {
namespace {

// Of each direction: above it the side that sends is stopped, until half of it has gone.
constexpr size_t queued_bytes_max = 256 << 10;
// Of a call that could be sent again; it may be one request of the largest size.
constexpr size_t kept_bytes_max = 2 << 20;

// By which etcd's clients know that a request may have been acted on.
constexpr const char* lost_text = "etcdserver: request timed out, possibly due to connection lost";

std::string encoded(const std::string& name, const std::string& value) {
  return name.ends_with("-bin") ? proxy::encode_base64(value) : value;
}

// What of another server's headers is the client's.
proxy::Metadata passed_on(const proxy::Metadata& headers) {
  proxy::Metadata out;
  for (const auto& [name, value] : headers) {
    // Its own come from here: they are added to every answer.
    if (proxy::is_transport_header(name) || name == "x-request-id" || name == "traceparent" ||
        name == unserved_trailer) {
      continue;
    }
    if (!name.ends_with("-bin")) {
      out.emplace_back(name, value);
    } else if (std::optional<std::string> bytes = proxy::decode_base64(value)) {
      out.emplace_back(name, *std::move(bytes));
    }
  }
  return out;
}

bool is_unserved(const proxy::ClientStreamEnd& end) {
  return std::ranges::any_of(end.trailers,
                             [](const auto& entry) { return entry.first == unserved_trailer; });
}

}  // namespace

// The call as the other node has it.
class ForwardingCall::Upstream final : private proxy::ClientStreamEvents {
 public:
  Upstream(ForwardingCall& call, const std::string& address)
      : call_(call),
        stream_(call.client_.open(address, call.head_, call.stream_.method(), call.metadata(),
                                  *this)) {}

  proxy::ClientStream& stream() { return *stream_; }
  void pause(bool paused) {
    if (std::exchange(paused_, paused) != paused) stream_->pause_input(paused);
  }

 private:
  void on_headers(const proxy::Metadata& headers) override {
    answered();
    for (auto& [name, value] : passed_on(headers)) call_.stream_.add_header(name, value);
  }
  void on_framed(Bytes part) override {
    answered();
    call_.stream_.send_framed(std::move(part));
    if (call_.stream_.pending_bytes() > queued_bytes_max) pause(true);
  }
  void on_sent(size_t) override {
    if (stream_->pending_bytes() > queued_bytes_max / 2) return;
    if (std::exchange(call_.client_paused_, false)) call_.stream_.pause_input(false);
  }
  void on_end(const proxy::ClientStreamEnd& end) override { call_.on_upstream_end(end); }

  void answered() {
    call_.repeatable_ = false;
    call_.kept_.clear();
  }

  ForwardingCall& call_;
  std::unique_ptr<proxy::ClientStream> stream_;
  bool paused_ = false;
};

ForwardingCall::ForwardingCall(loop::Loop& loop, ForwardClient& client, proxy::ServerStream& stream,
                               Route route)
    : loop_(loop), client_(client), stream_(stream), addresses_(std::move(route.addresses)) {
  head_.facts = std::move(route.facts);
  head_.client = std::string(stream.peer());
  head_.server_name = std::string(stream.server_name());
  if (const proxy::PeerCertificate* certificate = stream.peer_certificate()) {
    head_.certificate = *certificate;
  }
  attempt();
}

ForwardingCall::~ForwardingCall() { *alive_ = false; }

// Each node once, and the first one twice: its connection may just have ended.
void ForwardingCall::attempt() {
  if (addresses_.empty() || attempts_ > addresses_.size()) {
    // Not within the constructor, nor in an event of the upstream.
    return loop_.defer([this, alive = alive_] {
      if (*alive) finish(Outcome::unreachable, {proxy::GrpcCode::unavailable, unreachable_text});
    });
  }
  const std::string& address = addresses_[attempts_++ % addresses_.size()];
  if (client_.ready(address)) return open(address);
  pause_client();
  client_.when_ready(address, alive_, [this, &address](const Status& status) {
    if (over_) return;
    status.ok() && client_.ready(address) ? open(address) : attempt();
  });
}

void ForwardingCall::open(const std::string& address) {
  upstream_ = std::make_unique<Upstream>(*this, address);
  for (const Bytes& message : kept_) upstream_->stream().send(ByteChain(message));
  if (half_closed_) upstream_->stream().half_close();
  if (upstream_->stream().pending_bytes() > queued_bytes_max) return pause_client();
  if (std::exchange(client_paused_, false)) stream_.pause_input(false);
}

proxy::Metadata ForwardingCall::metadata() const {
  proxy::Metadata out;
  for (const auto& [name, value] : stream_.metadata()) {
    if (name != forwarded_header) out.emplace_back(name, encoded(name, value));
  }
  if (const std::optional<Instant> deadline = stream_.deadline();
      deadline && *deadline != Instant::never()) {
    out.emplace_back("grpc-timeout", proxy::format_grpc_timeout(*deadline - loop_.now()));
  }
  if (stream_.uses_gzip()) out.emplace_back("grpc-encoding", "gzip");
  return out;
}

void ForwardingCall::pause_client() {
  if (!std::exchange(client_paused_, true)) stream_.pause_input(true);
}

void ForwardingCall::on_message(Bytes message) {
  if (over_) return;
  if (upstream_ != nullptr) push(message);
  if (!repeatable_) return;
  kept_bytes_ += message.size();
  kept_.push_back(std::move(message));
  if (upstream_ == nullptr || kept_bytes_ <= kept_bytes_max) return;
  repeatable_ = false;
  kept_.clear();
}

void ForwardingCall::push(const Bytes& message) {
  upstream_->stream().send(ByteChain(message));
  if (upstream_->stream().pending_bytes() > queued_bytes_max) pause_client();
}

void ForwardingCall::on_half_close() {
  half_closed_ = true;
  if (upstream_ != nullptr) upstream_->stream().half_close();
}

void ForwardingCall::on_sent(size_t) {
  if (upstream_ != nullptr && stream_.pending_bytes() <= queued_bytes_max / 2) {
    upstream_->pause(false);
  }
}

void ForwardingCall::on_cancel() {
  if (std::exchange(over_, true)) return;
  upstream_.reset();  // which resets its stream
  on_over(Outcome::canceled);
}

void ForwardingCall::end(proxy::GrpcStatus status) {
  if (over_) return;
  finish(Outcome::canceled, std::move(status));
}

void ForwardingCall::on_upstream_end(const proxy::ClientStreamEnd& end) {
  const bool untouched =
      end.answered ? is_unserved(end) && attempts_ <= addresses_.size() : end.unsent;
  if (untouched && repeatable_) {
    upstream_.reset();
    return attempt();
  }
  if (!end.answered) {
    return finish(Outcome::lost, {proxy::GrpcCode::unavailable, lost_text});
  }
  proxy::GrpcStatus status = end.status;
  status.trailers = passed_on(end.trailers);
  finish(Outcome::answered, std::move(status));
}

void ForwardingCall::finish(Outcome outcome, proxy::GrpcStatus status) {
  if (std::exchange(over_, true)) return;
  upstream_.reset();
  stream_.finish(std::move(status));
  on_over(outcome);
}

}  // namespace lattice::peer
