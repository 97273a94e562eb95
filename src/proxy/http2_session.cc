#include "proxy/http2_session.h"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

namespace lattice::proxy {
namespace {

// Streams of one connection when the configuration says "unlimited" (etcd's default): what a peer
// could hold open must end somewhere. Clients wait or retry on REFUSED_STREAM.
constexpr size_t streams_per_connection_max = 100'000;
// Between the two GOAWAYs of a drain a client's requests that crossed the first one arrive.
constexpr Duration drain_grace = std::chrono::seconds(1);
constexpr Duration header_block_max = std::chrono::seconds(10);

constexpr double fault_burst = 100;
constexpr double faults_per_second = 10;
constexpr double useless_frame_burst = 1000;
constexpr double useless_frames_per_second = 200;
constexpr double window_update_burst = 5000;
constexpr double window_updates_per_second = 500;
// A read with more frames than this took its connection's share of the turn: the next is smaller.
constexpr uint32_t frames_per_read = 256;
constexpr size_t input_bytes_min = 2 << 10;
constexpr size_t input_bytes_first = 8 << 10;
// Of messages that one read brings, before what more there is takes turns: 80 us.
constexpr size_t inflated_per_read = 32 << 10;

}  // namespace

Http2Session::Http2Session(SessionHost& host, Context& context)
    : host_(host),
      context_(context),
      windows_(context.limits.send_buffer_bytes_max, context.held),
      ping_policy_(context.limits),
      peer_watch_(context.limits, context.loop.now()),
      faults_(fault_burst, faults_per_second),
      useless_frames_(useless_frame_burst, useless_frames_per_second),
      window_updates_(window_update_burst, window_updates_per_second),
      input_bytes_max_(input_bytes_first),
      unread_(context.counts->unread_bytes),
      idle_since_(context.loop.now()) {
  nghttp2_session* session = nullptr;
  const int result = nghttp2_session_server_new2(&session, context.http2.callbacks(), this,
                                                 context.http2.options());
  if (result != 0) throw std::bad_alloc();
  session_.reset(session);
  submit_settings();
}

Http2Session::~Http2Session() {
  abandon();
  recycle_closed();
}

void Http2Session::submit_settings() {
  std::array<nghttp2_settings_entry, 4> entries{{
      // Without this nghttp2 keeps the priority tree of RFC 7540 and closed streams in it.
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, ReceiveWindows::stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
       static_cast<uint32_t>(context_.limits.header_list_bytes_max)},
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, context_.limits.concurrent_streams_max},
  }};
  // Like grpc-go, "unlimited" is not announced.
  const bool limited = context_.limits.concurrent_streams_max != 0xffffffff;
  nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, entries.data(),
                          limited ? entries.size() : entries.size() - 1);
  nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0,
                                        ReceiveWindows::connection_window);
}

size_t Http2Session::streams_max() const {
  return std::min<size_t>(context_.limits.concurrent_streams_max, streams_per_connection_max);
}

void Http2Session::receive(std::string_view bytes) {
  if (closing_) return;
  peer_watch_.on_input(context_.loop.now());
  inflate_left_ = inflated_per_read;
  if (!bears(bytes)) return hang_up(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_frames");
  const ssize_t taken = nghttp2_session_mem_recv(
      session_.get(), reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  // nghttp2 answers protocol errors with its own GOAWAY; a negative result means that it cannot go
  // on (a flood, a broken preface).
  if (taken < 0) closing_ = true;
  // Now, not at the end of the turn, in which many connections may each reset many streams.
  recycle_closed();
  host_.request_flush();
}

// Whether the frames in these bytes can be put up with; sets how much is read at once, and since
// when a header block lacks its end.
bool Http2Session::bears(std::string_view bytes) {
  const FrameMeter::Seen seen = meter_.scan(bytes);
  const Instant now = context_.loop.now();
  input_bytes_max_ = seen.frames > frames_per_read
                         ? std::max(input_bytes_max_ / 2, input_bytes_min)
                         : std::min(input_bytes_max_ * 2, Context::receive_bytes);
  if (header_block_ != meter_.open_header_block()) {
    header_block_ = meter_.open_header_block();
    header_block_since_ = now;
  }
  const bool few_useless = seen.useless == 0 || useless_frames_.take(now, seen.useless);
  const bool few_updates =
      seen.window_updates == 0 || window_updates_.take(now, seen.window_updates);
  return few_useless && few_updates;
}

bool Http2Session::finished() const {
  if (closing_) return true;
  return nghttp2_session_want_read(session_.get()) == 0 &&
         nghttp2_session_want_write(session_.get()) == 0;
}

void Http2Session::begin_drain() {
  if (drain_since_ != Instant::never()) return;
  drain_since_ = context_.loop.now();
  nghttp2_submit_shutdown_notice(session_.get());
  host_.request_flush();
}

void Http2Session::finish_drain() {
  if (std::exchange(goaway_final_, true)) return;
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  host_.request_flush();
}

void Http2Session::hang_up(uint32_t error_code, std::string_view reason) {
  if (closing_) return;
  closing_ = true;
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_.get()), error_code,
                        reinterpret_cast<const uint8_t*>(reason.data()), reason.size());
  if (context_.observer != nullptr) context_.observer->on_goaway(reason);
  host_.request_flush();
}

void Http2Session::tick(Instant now) {
  if (closing_) return;
  switch (peer_watch_.on_tick(now)) {
    case PeerWatch::Action::none:
      break;
    case PeerWatch::Action::ping:
      nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr);
      host_.request_flush();
      break;
    case PeerWatch::Action::give_up:
      return hang_up(NGHTTP2_NO_ERROR, "keepalive_timeout");
  }
  if (header_block_ != 0 && now - header_block_since_ > header_block_max) {
    return hang_up(NGHTTP2_ENHANCE_YOUR_CALM, "slow_headers");
  }
  if (drain_since_ != Instant::never()) {
    if (now - drain_since_ >= drain_grace) finish_drain();
    return;
  }
  const Duration idle_max = context_.limits.connection_idle_max;
  if (idle_max.count() > 0 && streams_.empty() && now - idle_since_ >= idle_max) {
    if (context_.observer != nullptr) context_.observer->on_goaway("max_idle");
    begin_drain();
  }
}

void Http2Session::abandon() {
  closing_ = true;
  while (!streams_.empty()) close_stream(*streams_.back());
}

Http2Stream* Http2Session::find(int32_t stream_id) const {
  return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session_.get(), stream_id));
}

void Http2Session::on_stream_closed(int32_t stream_id) {
  if (Http2Stream* stream = find(stream_id)) close_stream(*stream);
}

void Http2Session::close_stream(Http2Stream& stream) {
  nghttp2_session_set_stream_user_data(session_.get(), stream.id, nullptr);
  if (header_stream_ == &stream) header_stream_ = nullptr;
  const size_t held = stream.held();
  uncount(stream);
  if (stream.answered) --answers_;
  const size_t index = stream.index;
  // Out of the list before the service hears of it, so that it sees the state after.
  closed_.push_back(std::move(streams_[index]));
  if (index + 1 < streams_.size()) {
    streams_[index] = std::move(streams_.back());
    streams_[index]->index = index;
  }
  streams_.pop_back();
  if (streams_.empty()) idle_since_ = context_.loop.now();
  stream.on_closed();
  windows_.closed(session_.get(), stream.id, held);
  host_.request_flush();
}

void Http2Session::recycle_closed() {
  // Swapped first: destroying a Call may end others of its connection.
  std::vector<std::unique_ptr<Http2Stream>> closed;
  closed.swap(closed_);
  for (auto& stream : closed) context_.streams.put(std::move(stream));
  closed.clear();
  if (closed_.empty()) closed_.swap(closed);  // keeps the capacity
}

}  // namespace lattice::proxy
