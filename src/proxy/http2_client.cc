#include "proxy/http2_client.h"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "proxy/http2_client_callbacks.h"
#include "proxy/tls_transport.h"

namespace lattice::proxy {
namespace {

// One turn's output; more waits in the streams, where it counts as unsent.
constexpr Duration tick_min = std::chrono::milliseconds(10);
constexpr Duration tick_max = std::chrono::milliseconds(250);

// Of "host:port", "[address]:port".
std::string host_of(const std::string& address) {
  std::string host = address.substr(0, address.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

}  // namespace

Http2Client::Http2Client(ClientContext& context, std::string address, const ClientOptions& options,
                         OnClosed on_closed)
    : context_(context),
      address_(std::move(address)),
      options_(options),
      on_closed_(std::move(on_closed)),
      output_(context.chunks),
      last_heard_(context.loop.now()) {
  make_session();
  dialer_ =
      std::make_unique<Dialer>(context.loop, context.resolver, address_, options.connect_timeout,
                               [this](Result<int> fd) { on_connected(std::move(fd)); });
}

Http2Client::~Http2Client() {
  *alive_ = false;
  for (auto& [id, stream] : streams_) stream->client_ = nullptr;
}

void Http2Client::make_session() {
  session_.reset(new_client_session(*this));
  const std::array<nghttp2_settings_entry, 3> entries{{
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(options_.stream_window)},
  }};
  nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, entries.data(), entries.size());
  nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0,
                                        options_.connection_window);
}

bool Http2Client::accepts_streams() const { return !closed_ && !going_away_; }

void Http2Client::on_connected(Result<int> fd) {
  if (!fd.ok()) return fail(fd.status());
  transport_ = options_.tls == nullptr
                   ? make_plain_transport(*fd)
                   : make_tls_transport(options_.tls->get(), *fd, host_of(address_));
  last_heard_ = context_.loop.now();
  watch_ =
      context_.loop.watch(transport_->fd(), [this](bool readable, bool) { on_ready(readable); });
  watch_->want(/*read=*/true, /*write=*/false);
  start_ticking();
  request_flush();
}

void Http2Client::on_ready(bool readable) {
  if (closed_) return;
  if (readable) {
    read();
  } else {
    flush();
  }
}

void Http2Client::read() {
  std::string& buffer = context_.receive_buffer;
  const IoResult result = transport_->receive({buffer.data(), buffer.size()});
  if (result.kind == IoResult::Kind::would_block) {
    // The handshake may have come to where the streams' bytes can go, or its own must.
    if (transport_->wants_writable(!output_.empty())) watch_->want(true, true);
    return;
  }
  if (result.kind != IoResult::Kind::moved) return fail(loss());
  last_heard_ = context_.loop.now();
  pinged_at_ = Instant::never();
  overdue_ = false;
  if (!std::exchange(heard_, true) && wants_tls({buffer.data(), result.bytes})) {
    failure_ = "tls";
    return fail({Error::backend_unavailable, address_ + " speaks TLS only"});
  }
  const ssize_t taken = nghttp2_session_mem_recv(
      session_.get(), reinterpret_cast<const uint8_t*>(buffer.data()), result.bytes);
  if (closed_) return;
  if (taken < 0) return fail({Error::backend_unavailable, address_ + " breaks HTTP/2"});
  request_flush();
  if (transport_->has_buffered_input()) read();
}

void Http2Client::request_flush() {
  if (flush_requested_ || closed_ || transport_ == nullptr) return;
  flush_requested_ = true;
  context_.loop.defer([this, alive = alive_] {
    if (!*alive) return;
    flush_requested_ = false;
    flush();
  });
}

void Http2Client::flush() {
  if (closed_ || transport_ == nullptr) return;
  produce();
  if (!closed_ && !write()) return fail(loss());
  if (closed_) return;
  report_sent();
  if (closed_) return;
  const bool finished = nghttp2_session_want_read(session_.get()) == 0 &&
                        nghttp2_session_want_write(session_.get()) == 0;
  if (finished && output_.empty()) {
    return fail({Error::backend_unavailable, address_ + " has closed the connection"});
  }
  watch_->want(/*read=*/true, transport_->wants_writable(!output_.empty()));
}

// As TLS ports tell plaintext clients: Go's, and ours.
bool Http2Client::wants_tls(std::string_view first_bytes) const {
  return options_.tls == nullptr && first_bytes.starts_with("HTTP/1.") &&
         first_bytes.find("HTTPS server") != first_bytes.npos;
}

Status Http2Client::loss() {
  std::string text = "connection to " + address_ + " lost";
  // A plaintext port hangs up without a word that a TLS client would understand.
  if (transport_->handshaking()) {
    text += " in the TLS handshake: does it speak TLS?";
    failure_ = "not_tls";
  }
  if (const auto failure = transport_->take_failure()) {
    text = "TLS to " + address_ + ": " + failure->text;
    failure_ = failure->reason;
  }
  return {Error::backend_unavailable, std::move(text)};
}

void Http2Client::produce() {
  while (output_.size() < turn_output_bytes) {
    const uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_.get(), &data);
    if (size <= 0) break;
    output_.append(
        std::string_view(reinterpret_cast<const char*>(data), static_cast<size_t>(size)));
  }
}

bool Http2Client::write() {
  std::array<iovec, 256> parts;
  for (int refills = 0; !output_.empty();) {
    const IoResult result = transport_->send(output_.front(parts));
    if (result.kind == IoResult::Kind::would_block) return true;
    if (result.kind != IoResult::Kind::moved) return false;
    output_.consume(result.bytes);
    if (output_.empty()) {
      produce();
      if (++refills == refills_per_turn) break;
    }
  }
  return true;
}

// Behind the writing: what the streams queue now is sent in the next turn.
void Http2Client::report_sent() {
  std::vector<int32_t> streams;
  streams.swap(sent_on_);
  for (const int32_t id : streams) {
    ClientStream* stream = find(id);
    if (stream == nullptr) continue;
    stream->events_.on_sent(std::exchange(stream->sent_unreported_, 0));
    if (closed_) return;
  }
}

void Http2Client::start_ticking() {
  if (options_.ping_interval.count() == 0) return;
  const Duration shortest = std::min(options_.ping_interval, options_.ping_timeout);
  tick_timer_ = context_.loop.after(std::clamp<Duration>(shortest / 4, tick_min, tick_max),
                                    [this] { tick(); });
}

void Http2Client::tick() {
  start_ticking();
  if (streams_.empty()) return;
  const Instant now = context_.loop.now();
  if (pinged_at_ == Instant::never()) {
    if (now - last_heard_ < options_.ping_interval) return;
    pinged_at_ = now;
    nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr);
    return request_flush();
  }
  if (now - pinged_at_ < options_.ping_timeout) return;
  // A process that was itself stopped looks at its socket first.
  if (!std::exchange(overdue_, true)) return;
  fail({Error::backend_unavailable, address_ + " does not answer"});
}

void Http2Client::fail(const Status& status) {
  if (std::exchange(closed_, true)) return;
  // Everything is in place while the streams hear of it; only then it may be torn down.
  tick_timer_.reset();
  watch_.reset();
  output_.clear();
  while (!streams_.empty()) {
    ClientStream& stream = *streams_.begin()->second;
    end(stream, {GrpcCode::unavailable, status.detail()}, !stream.headers_sent_);
  }
  transport_.reset();
  if (OnClosed on_closed = std::exchange(on_closed_, {})) on_closed(status);
}

void Http2Client::close() {
  closed_ = true;
  on_closed_ = {};
  dialer_.reset();
  tick_timer_.reset();
  watch_.reset();
  for (auto& [id, stream] : streams_) stream->client_ = nullptr;
  streams_.clear();
}

ClientStream* Http2Client::find(int32_t stream_id) const {
  const auto found = streams_.find(stream_id);
  return found == streams_.end() ? nullptr : found->second;
}

}  // namespace lattice::proxy
