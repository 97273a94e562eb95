#include "peer/forward_link.h"

#include <utility>

#include "peer/method.h"
#include "proxy/grpc_text.h"

namespace lattice::peer {
namespace {

// What a slow client makes its node hold of one answer, beside what its own stream queues.
constexpr int32_t answer_window = 256 << 10;

}  // namespace

ForwardLink::ForwardLink(Surroundings& around, proxy::ClientContext& context,
                         const std::string& address, absl::AnyInvocable<void()> on_change)
    : around_(around), on_change_(std::move(on_change)) {
  Nonce nonce;
  around_.random_bytes(nonce);
  handshake_ = std::make_unique<ClientHandshake>(around_.keyring, around_.cluster, nonce);
  const Limits& limits = around_.limits;
  proxy::ClientOptions options;
  options.connect_timeout = limits.connect_timeout;
  options.ping_interval = limits.ping_interval;
  options.ping_timeout = limits.ping_timeout;
  options.stream_window = answer_window;
  options.message_bytes_max = ServerHandshake::message_bytes_max;  // the session's; answers pass by
  options.tls = around_.tls;
  client_ = std::make_unique<proxy::Http2Client>(
      context, address, options, [this](const Status& status) { fail(status.detail()); });
  stream_ = client_->open(forward_path, {}, *this);
  const std::string hello = handshake_->hello();
  stream_->send(ByteChain(Bytes::copy(hello)));
  timer_ = around_.loop.after(limits.connect_timeout, [this] { fail("no answer in time"); });
}

ForwardLink::~ForwardLink() { client_->close(); }

size_t ForwardLink::open_requests() const {
  const bool session = state_ == State::connecting || state_ == State::ready;
  return client_->open_streams() - (session && client_->open_streams() > 0 ? 1 : 0);
}

void ForwardLink::enter(State state) {
  state_ = state;
  on_change_();
}

void ForwardLink::on_message(Bytes message) {
  keys_ == nullptr ? on_welcome(message.view()) : on_session(message.view());
}

void ForwardLink::on_welcome(std::string_view message) {
  Result<ClientHandshake::Success> success = handshake_->on_welcome(message);
  if (!success.ok()) return fail(success.status().detail());
  handshake_.reset();
  stream_->send(ByteChain(Bytes::copy(success->proof)));
  keys_ = std::make_unique<FrameKeys>(std::move(success->keys));
}

void ForwardLink::on_session(std::string_view message) {
  const std::optional<std::string_view> bytes = keys_->server.open(message);
  const std::optional<uint64_t> id = bytes ? decode_session(*bytes) : std::nullopt;
  if (!id || state_ != State::connecting) return fail("no session");
  timer_.reset();
  session_ = *id;
  enter(State::ready);
}

void ForwardLink::on_end(const proxy::ClientStreamEnd& end) {
  if (state_ == State::connecting) return fail(end.status.message);
  // If the connection is lost, that is told once its requests have heard of it.
  this->end();
}

void ForwardLink::end() {
  if (state_ != State::ready) return;
  enter(State::ending);
}

void ForwardLink::fail(const std::string& reason) {
  if (state_ == State::over) return;
  timer_.reset();
  reason_ = reason;
  enter(State::over);
}

std::unique_ptr<proxy::ClientStream> ForwardLink::open(const ForwardedHead& head,
                                                       std::string_view path,
                                                       proxy::Metadata metadata,
                                                       proxy::ClientStreamEvents& events) {
  const std::string sealed = seal_head(head, path, session_, ++last_number_, keys_->client);
  metadata.emplace_back(forwarded_header, proxy::encode_base64(sealed));
  return client_->open(path, metadata, events, proxy::AnswerForm::framed);
}

}  // namespace lattice::peer
