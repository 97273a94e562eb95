// What nghttp2 reports about the peer's frames.
#include <algorithm>
#include <cstring>
#include <utility>

#include "proxy/http2_session.h"

namespace lattice::proxy {
namespace {

// A connection whose responses pile up gets no further calls until some have left: with the usual
// buffer at 128 MiB. Reads are refused before that (UnreadAnswers), so that writes need not be.
constexpr size_t queued_bytes_factor = 32;
// Nor does one whose answers HTTP/2's windows hold back, which the socket says nothing of.
constexpr size_t answers_max = 32'768;

}  // namespace

int Http2Session::on_begin_headers(const nghttp2_frame* frame) {
  const int32_t id = frame->hd.stream_id;
  header_rules_.begin();
  if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
    header_stream_ = nullptr;  // trailers: dropped
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) reject_headers(id);
    return 0;
  }
  // Counted here, because the peer's limit holds only from its acknowledgement of our SETTINGS on.
  const size_t in_others_way = queued_bytes_ - std::min(queued_bytes_, unread_.lone_bytes());
  const bool overloaded =
      in_others_way > queued_bytes_factor * context_.limits.send_buffer_bytes_max ||
      answers_ >= answers_max;
  if (streams_.size() >= streams_max() || overloaded || closing_) {
    header_stream_ = nullptr;
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    return 0;
  }
  std::unique_ptr<Http2Stream> stream = context_.streams.get();
  if (stream == nullptr) stream = std::make_unique<Http2Stream>(context_.limits);
  stream->open(*this, id);
  stream->index = streams_.size();
  header_stream_ = stream.get();
  nghttp2_session_set_stream_user_data(session_.get(), id, stream.get());
  streams_.push_back(std::move(stream));
  return 0;
}

int Http2Session::on_header(const nghttp2_frame* frame, std::string_view name,
                            std::string_view value) {
  if (header_stream_ == nullptr || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  if (!header_rules_.accepts(name, value)) {
    reject_headers(frame->hd.stream_id);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  if (header_stream_->head.add(name, value) == RequestHead::Outcome::ok) return 0;
  // As grpc-go: too long a list is a FRAME_SIZE_ERROR of the stream.
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                            NGHTTP2_FRAME_SIZE_ERROR);
  header_stream_ = nullptr;
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

// A malformed request is an error of its stream; sending the reset counts against the peer.
void Http2Session::reject_headers(int32_t stream_id) {
  header_stream_ = nullptr;
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_PROTOCOL_ERROR);
}

void Http2Session::on_frame(const nghttp2_frame* frame) {
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
      return on_request_frame(frame);
    case NGHTTP2_PING:
      return on_ping(frame);
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PRIORITY_UPDATE:
      if (!useless_frames_.take(context_.loop.now())) {
        hang_up(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_frames");
      }
      return;
    default:
      return;
  }
}

void Http2Session::on_request_frame(const nghttp2_frame* frame) {
  const bool is_headers = frame->hd.type == NGHTTP2_HEADERS;
  const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (!is_headers && frame->hd.length == 0 && !ends && !useless_frames_.take(context_.loop.now())) {
    return hang_up(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_frames");
  }
  if (!is_headers && !ends) return;
  Http2Stream* stream =
      is_headers && header_stream_ != nullptr ? header_stream_ : find(frame->hd.stream_id);
  if (is_headers && header_stream_ != nullptr && !header_rules_.complete()) {
    return reject_headers(frame->hd.stream_id);
  }
  header_stream_ = nullptr;
  if (stream == nullptr || stream->local_ended) return;
  if (ends) stream->remote_ended = true;
  if (is_headers) stream->on_headers();
  if (!ends) return;
  const size_t held = stream->held();
  stream->on_end();
  windows_.update(session_.get(), *stream, held);
}

void Http2Session::on_ping(const nghttp2_frame* frame) {
  if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
    // Whatever its content: an answer to an older ping ends the wait a little early, which only
    // makes the client retry elsewhere.
    if (drain_since_ != Instant::never()) finish_drain();
    return;
  }
  if (!ping_policy_.on_ping(context_.loop.now(), streams_.size())) {
    hang_up(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
  }
}

void Http2Session::on_data(int32_t stream_id, std::string_view bytes) {
  Http2Stream* stream = find(stream_id);
  windows_.received(session_.get(), stream, bytes.size());
  if (stream == nullptr || stream->local_ended) return;
  const size_t held = stream->held();
  stream->on_data(bytes);
  windows_.update(session_.get(), *stream, held);
  if (windows_.overfull()) reset(*stream, NGHTTP2_ENHANCE_YOUR_CALM);
}

GzipInflater::State Http2Session::inflate_at_once(GzipInflater& inflater) {
  // Where nothing takes turns, all at once.
  if (context_.shares == nullptr) return inflater.run(SIZE_MAX);
  if (inflate_left_ == 0 || context_.inflations.has(host_)) return GzipInflater::State::more;
  const GzipInflater::State state = inflater.run(inflate_left_);
  inflate_left_ -= std::min(inflate_left_, inflater.spent());
  return state;
}

void Http2Session::update_window(Http2Stream& stream, size_t held_before) {
  windows_.update(session_.get(), stream, held_before);
  host_.request_flush();
}

void Http2Session::on_fault() {
  if (!faults_.take(context_.loop.now())) hang_up(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_errors");
}

}  // namespace lattice::proxy
