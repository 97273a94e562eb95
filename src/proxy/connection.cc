#include "proxy/connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "proxy/http1_session.h"
#include "proxy/http2_session.h"

namespace lattice::proxy {
namespace {

constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr int refills_per_turn = 4;
// After our end the peer may still be sending; closing at once would answer that with a reset,
// which can overtake and destroy the GOAWAY or the error response.
constexpr Duration linger_max = std::chrono::seconds(1);

}  // namespace

Connection::Connection(std::shared_ptr<Context> context, ConnectionOwner& owner,
                       std::unique_ptr<Transport> transport, std::string peer)
    : context_(std::move(context)),
      owner_(owner),
      transport_(std::move(transport)),
      peer_(std::move(peer)),
      output_(context_->chunks),
      accepted_at_(context_->loop.now()) {
  watch_ =
      context_->loop.watch(transport_->fd(), [this](bool readable, bool) { on_ready(readable); });
  watch_->want(/*read=*/true, /*write=*/false);
}

Connection::~Connection() = default;

void Connection::on_ready(bool readable) {
  if (readable) {
    read();
  } else {
    flush();
  }
}

void Connection::read() {
  std::string& buffer = context_->receive_buffer;
  do {
    const IoResult result = transport_->receive({buffer.data(), buffer.size()});
    if (result.kind == IoResult::Kind::would_block) return;
    if (result.kind != IoResult::Kind::moved) return close();
    if (context_->observer != nullptr) context_->observer->on_bytes(result.bytes, 0);
    deliver({buffer.data(), result.bytes});
  } while (!closed_ && transport_->has_buffered_input());
}

void Connection::deliver(std::string_view bytes) {
  if (lingering_since_ != Instant::never()) return;
  if (session_ != nullptr) {
    session_->receive(bytes);
  } else if (!sniff(bytes)) {
    return;
  }
  request_flush();
}

bool Connection::sniff(std::string_view bytes) {
  first_bytes_.append(bytes);
  const size_t compared = std::min(first_bytes_.size(), http2_preface.size());
  const bool may_be_http2 =
      http2_preface.starts_with(std::string_view(first_bytes_).substr(0, compared));
  if (may_be_http2 && compared < http2_preface.size()) return false;
  if (may_be_http2) {
    session_ = std::make_unique<Http2Session>(*this, *context_);
  } else {
    session_ = std::make_unique<Http1Session>(*this, *context_);
  }
  if (draining_) session_->begin_drain();
  const std::string first = std::exchange(first_bytes_, {});
  session_->receive(first);
  return true;
}

void Connection::request_flush() {
  if (flush_requested_ || closed_) return;
  flush_requested_ = true;
  context_->loop.defer([this] {
    flush_requested_ = false;
    flush();
  });
}

void Connection::flush() {
  if (closed_ || session_ == nullptr) return;
  session_->produce(output_);
  if (!write()) return close();
  if (closed_) return;
  if (output_.empty() && session_->finished()) return begin_linger();
  update_watch();
}

bool Connection::write() {
  std::array<iovec, 256> parts;
  for (int refills = 0; !output_.empty();) {
    const IoResult result = transport_->send(output_.front(parts));
    if (result.kind == IoResult::Kind::would_block) {
      if (stalled_since_ == Instant::never()) stalled_since_ = context_->loop.now();
      return true;
    }
    if (result.kind != IoResult::Kind::moved) return false;
    output_.consume(result.bytes);
    stalled_since_ = Instant::never();
    if (context_->observer != nullptr) context_->observer->on_bytes(0, result.bytes);
    // What the session held back for want of room. A bounded number of times, to be fair to other
    // connections: what is left then waits for the next turn, where the socket reports itself
    // writable.
    if (output_.empty()) {
      session_->produce(output_);
      if (++refills == refills_per_turn) break;
    }
  }
  return true;
}

void Connection::update_watch() { watch_->want(session_->wants_input(), !output_.empty()); }

void Connection::begin_linger() {
  if (lingering_since_ != Instant::never()) return;
  lingering_since_ = context_->loop.now();
  session_->abandon();
  transport_->end_output();
  watch_->want(/*read=*/true, /*write=*/false);
}

void Connection::begin_drain() {
  draining_ = true;
  if (session_ == nullptr) return close();  // nothing was asked yet
  session_->begin_drain();
  request_flush();
}

void Connection::tick(Instant now) {
  if (lingering_since_ != Instant::never()) {
    if (now - lingering_since_ >= linger_max) close();
    return;
  }
  if (stalled_since_ != Instant::never() &&
      now - stalled_since_ >= context_->limits.write_stall_max)
    return close();
  if (session_ == nullptr) {
    if (now - accepted_at_ >= context_->limits.preface_timeout) close();
    return;
  }
  session_->tick(now);
}

void Connection::close() {
  if (std::exchange(closed_, true)) return;
  watch_.reset();
  if (session_ != nullptr) session_->abandon();
  output_.clear();
  owner_.on_closed(*this);
}

}  // namespace lattice::proxy
