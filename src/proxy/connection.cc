#include "proxy/connection.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "proxy/http1_session.h"
#include "proxy/http2_session.h"

namespace lattice::proxy {
namespace {

constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
// A TLS record with a handshake message.
constexpr std::string_view tls_client_start = "\x16\x03";
// After our end the peer may still be sending; closing at once would answer that with a reset,
// which can overtake and destroy the GOAWAY or the error response.
constexpr Duration linger_max = std::chrono::seconds(1);

// Until a new connection is old. Multiples of the golden ratio, modulo one, lie evenly between zero
// and one however many there are, and neighbours lie far apart: no two that come together end
// together.
Instant next_old_since(Context& context) {
  const Duration limit = context.limits.connection_age_max;
  if (limit.count() == 0) return Instant::never();
  constexpr double golden = 0.6180339887498949;
  const double turns = static_cast<double>(context.ages_given++ % 100'000) * golden;
  const double spread = 0.9 + 0.2 * (turns - std::floor(turns));
  return context.loop.now() +
         std::chrono::duration_cast<Duration>(spread * std::chrono::duration<double>(limit));
}

// Where nothing queues: whether the flow's connections use the loop evenly is still to be known.
// Two looks at the clock, 35 ns each; none where the connection is alone.
template <class Work>
void measure(FairShares* shares, const SharedFlow& flow, FairAccount& account, Work work) {
  if (shares == nullptr || !FairShares::measures(*flow, account)) return work();
  const Instant start = shares->work_clock().start();
  work();
  shares->measured(*flow, account, shares->work_clock().since(start));
}

}  // namespace

Connection::Connection(std::shared_ptr<Context> context, ConnectionOwner& owner,
                       std::unique_ptr<Transport> transport, std::string peer)
    : context_(std::move(context)),
      owner_(owner),
      transport_(std::move(transport)),
      peer_(std::move(peer)),
      output_(context_->chunks),
      accepted_at_(context_->loop.now()),
      old_since_(next_old_since(*context_)),
      flow_(context_->strangers) {
  watch_ =
      context_->loop.watch(transport_->fd(), [this](bool readable, bool) { on_ready(readable); });
  watch_->want(/*read=*/true, /*write=*/false);
  transport_->when_stepped([this] { on_stepped(); });
}

Connection::~Connection() = default;

void Connection::on_ready(bool readable) {
  if (stepping_since_ != Instant::never()) return pause();
  if (shared()) {
    wants_read_ |= readable;
    wants_flush_ |= !readable;
    if (waits()) return pause();
    queued_at_ = context_->loop.now();
    context_->shares->enqueue(*this, flow_);
  } else {
    measure(context_->shares, flow_, account(), [&] { readable ? read_all() : flush(); });
  }
}

void Connection::read_all() {
  if (holds_back()) return update_watch();
  while (read(Context::receive_bytes) > 0 && transport_->has_buffered_input()) {
  }
}

// A socket that waits longer than a turn is not reported again in each: thousands of them would
// make every turn long.
void Connection::pause() {
  paused_ = true;
  watch_->want(/*read=*/false, /*write=*/false);
}

void Connection::resume() {
  if (!std::exchange(paused_, false)) return;
  if (session_ == nullptr || lingering_since_ != Instant::never()) {
    watch_->want(/*read=*/true, /*write=*/session_ == nullptr && transport_->wants_writable(false));
  } else {
    update_watch();
  }
}

bool Connection::belong_to(const SharedFlow& flow) {
  if (flow == flow_) return true;
  if (!flow->take_connection()) return false;
  flow_->leave_connection();
  const bool newcomer = FairShares::move(*this, *flow_, *flow);
  if (newcomer && settles_at_ == Instant::never()) {
    settles_at_ = context_->loop.now() + FairShares::newcomer_time;
  }
  flow_ = flow;
  return true;
}

void Connection::take_turns(FairWaiter& work) {
  work.pay_from(account());
  context_->shares->note(flow_, context_->loop.now());
  context_->shares->enqueue(work, flow_);
}

bool Connection::shared() {
  FairShares* const shares = context_->shares;
  if (shares == nullptr) return false;
  shares->note(flow_, context_->loop.now());
  return shares->shared();
}

bool Connection::run(size_t size) {
  resume();
  // What we were late for is not the peer's silence.
  const Instant queued_at = std::exchange(queued_at_, Instant::never());
  if (session_ == nullptr && queued_at != Instant::never()) {
    accepted_at_ = accepted_at_ + (context_->loop.now() - queued_at);
  }
  if (std::exchange(wants_flush_, false)) flush();
  if (closed_ || !std::exchange(wants_read_, false)) return false;
  if (holds_back()) {
    update_watch();
    return false;
  }
  const FairFlow* const asked_as = flow_.get();
  const size_t taken = read(size);
  const bool more = taken == size || (taken > 0 && transport_->has_buffered_input());
  // What is answered already must not wait for other tenants' turns.
  if (std::exchange(flush_requested_, false)) flush();
  wants_read_ = more && !closed_;
  if (wants_read_ && flow_.get() != asked_as) {
    // Its first request has come: the rest must not wait among the strangers.
    context_->shares->note(flow_, context_->loop.now());
    context_->shares->enqueue(*this, flow_);
  }
  return wants_read_;
}

size_t Connection::read(size_t size) {
  std::string& buffer = context_->receive_buffer;
  const size_t wanted = session_ == nullptr ? size : std::min(size, session_->input_bytes_max());
  const IoResult result = transport_->receive({buffer.data(), wanted});
  if (result.kind == IoResult::Kind::would_block) {
    backlog_.on_emptied();
    look_for_step();
    // A handshake, or the answer to a key update, may wait for the socket.
    const bool lingering = lingering_since_ != Instant::never();
    if (!lingering && transport_->wants_writable(!output_.empty())) watch_->want(true, true);
    return 0;
  }
  if (result.kind != IoResult::Kind::moved) {
    on_end(result.kind);
    return 0;
  }
  if (context_->observer != nullptr) context_->observer->on_bytes(result.bytes, 0);
  follow_backlog(result.bytes < wanted, result.bytes);
  deliver({buffer.data(), result.bytes});
  return closed_ ? 0 : result.bytes;
}

void Connection::look_for_step() {
  if (session_ != nullptr || stepping_since_ != Instant::never()) return;
  if (transport_->stepping()) stepping_since_ = context_->loop.now();
}

// Also what came meanwhile is read: the transport may hold the rest of it already.
void Connection::on_stepped() {
  if (closed_) return;
  accepted_at_ =
      accepted_at_ + (context_->loop.now() - std::exchange(stepping_since_, Instant::never()));
  resume();
  on_ready(/*readable=*/true);
}

void Connection::follow_backlog(bool emptied, size_t bytes) {
  if (emptied && !transport_->has_buffered_input()) return backlog_.on_emptied();
  backlog_.on_read(bytes, context_->loop.now(), [this] {
    int waiting = 0;
    return ioctl(transport_->fd(), FIONREAD, &waiting) == 0 && waiting > 0
               ? static_cast<size_t>(waiting)
               : size_t{0};
  });
}

void Connection::on_end(IoResult::Kind kind) {
  const std::optional<TransportFailure> failure = transport_->take_failure();
  if (failure) report(*failure);
  const bool refused = kind == IoResult::Kind::failed && session_ == nullptr && failure;
  if (!refused || lingering_since_ != Instant::never()) return close();
  // What tells the peer why must not be overtaken by a reset.
  lingering_since_ = context_->loop.now();
  transport_->end_output();
  watch_->want(/*read=*/true, /*write=*/false);
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
  if (first_bytes_.starts_with(tls_client_start) && !transport_->secure()) {
    report({"tls", "a TLS client at a port that speaks plaintext", {}, {}, {}});
    close();
    return false;
  }
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
    if (std::exchange(flush_requested_, false)) flush_in_turn();
  });
}

void Connection::flush_in_turn() {
  if (closed_) return;
  if (!shared()) return measure(context_->shares, flow_, account(), [&] { flush(); });
  FairShares& shares = *context_->shares;
  if (waits() || !shares.affords(*flow_)) {
    wants_flush_ = true;
    if (!waits()) shares.enqueue(*this, flow_);
    return;
  }
  const Instant start = shares.work_clock().start();
  flush();
  shares.charge(*flow_, account(), shares.work_clock().since(start));
}

void Connection::flush() {
  if (closed_) return;
  if (session_ == nullptr) return go_on_with_handshake();
  session_->produce(output_);
  if (!write()) return close();
  if (closed_) return;
  if (output_.empty() && session_->finished()) return begin_linger();
  update_watch();
}

void Connection::go_on_with_handshake() {
  if (lingering_since_ != Instant::never()) return;
  const IoResult result = transport_->send({});
  if (result.kind == IoResult::Kind::failed) return on_end(result.kind);
  look_for_step();
  watch_->want(/*read=*/true, transport_->wants_writable(false));
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
      if (++refills == refills_per_turn || shared()) break;
    }
  }
  return true;
}

void Connection::update_watch() {
  const bool holds = holds_back();
  watch_->want(session_->wants_input() && !holds, transport_->wants_writable(!output_.empty()));
  // The socket does not report what the transport has taken from it.
  if (std::exchange(held_back_, holds) && !holds) on_ready(/*readable=*/true);
}

// Who does not read answers must not make us hold a hundred thousand of them, each with its stream.
// Where HTTP/2's windows are what holds them up, the frame that opens one is read.
bool Connection::holds_back() const {
  return session_ != nullptr && stalled_since_ != Instant::never() && session_->answers_wait();
}

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
    const bool ours = waits() || stepping_since_ != Instant::never();
    if (now - accepted_at_ >= context_->limits.preface_timeout && !ours) on_silence();
    return;
  }
  if (now >= settles_at_) {
    settles_at_ = Instant::never();
    FairShares::settle(*this, *flow_);
  }
  grow_older(now);
  if (!closed_) session_->tick(now);
}

void Connection::grow_older(Instant now) {
  if (now < old_since_) return;
  if (now - old_since_ >= context_->limits.connection_age_grace) return close();
  if (draining_) return;
  if (context_->observer != nullptr) context_->observer->on_goaway("max_age");
  begin_drain();
}

void Connection::on_silence() {
  if (transport_->handshaking()) {
    report({"timeout", "the TLS handshake took too long", {}, {}, {}});
  }
  close();
}

void Connection::report(const TransportFailure& failure) {
  if (context_->observer == nullptr) return;
  const bool tell = context_->told_failures.take(context_->loop.now());
  context_->observer->on_transport_failure(peer_, failure, tell);
}

void Connection::close() {
  if (std::exchange(closed_, true)) return;
  watch_.reset();
  if (context_->shares != nullptr) context_->shares->remove(*this);
  flow_->leave_connection();
  if (session_ != nullptr) session_->abandon();
  output_.clear();
  owner_.on_closed(*this);
}

}  // namespace lattice::proxy
