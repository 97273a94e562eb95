#include "proxy/receive_windows.h"

#include "proxy/http2_stream.h"

namespace lattice::proxy {
namespace {

// nghttp2 sends a WINDOW_UPDATE once half a window is consumed; telling it in larger steps saves
// two lookups per DATA frame. Small against the windows.
constexpr size_t stream_step = 64 << 10;
constexpr size_t connection_step = 256 << 10;

Http2Stream* stream_of(nghttp2_session* session, int32_t id) {
  return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session, id));
}

}  // namespace

void ReceiveWindows::received(nghttp2_session* session, Http2Stream* stream, size_t size) {
  unconsumed_ += size;
  if (unconsumed_ >= connection_step) {
    nghttp2_session_consume_connection(session, unconsumed_);
    unconsumed_ = 0;
  }
  if (stream != nullptr) stream->unconsumed += size;
}

void ReceiveWindows::update(nghttp2_session* session, Http2Stream& stream, size_t held_before) {
  const size_t held = stream.held();
  change_held(held_before, held);
  if (stream.id == privileged_ && (held < held_before || stream.call_paused)) privileged_ = 0;
  if (stream.unconsumed >= stream_step && !stream.input_paused) {
    if (may_receive(stream)) {
      give_back(session, stream);
    } else {
      stream.input_paused = true;
      waiting_.push_back(stream.id);
    }
  }
  if (!waiting_.empty() && (held < held_before || stream.input_paused)) release_waiting(session);
}

void ReceiveWindows::change_held(size_t before, size_t now) {
  loop_holds_.connections -= held_ > 0 ? 1 : 0;
  held_ = held_ + now - before;
  loop_holds_.bytes = loop_holds_.bytes + now - before;
  loop_holds_.connections += held_ > 0 ? 1 : 0;
}

void ReceiveWindows::closed(nghttp2_session* session, int32_t id, size_t held_before) {
  change_held(held_before, 0);
  if (id == privileged_) privileged_ = 0;
  if (!waiting_.empty()) release_waiting(session);
}

bool ReceiveWindows::takes_more(const Http2Stream& stream) const {
  return !stream.call_paused && stream.body.size() <= send_buffer_bytes_max_;
}

bool ReceiveWindows::may_receive(const Http2Stream& stream) const {
  if (!takes_more(stream)) return false;
  return loop_holds_.bytes <= held_bytes_soft || stream.id == privileged_;
}

void ReceiveWindows::give_back(nghttp2_session* session, Http2Stream& stream) {
  nghttp2_session_consume_stream(session, stream.id, stream.unconsumed);
  stream.unconsumed = 0;
}

void ReceiveWindows::release_waiting(nghttp2_session* session) {
  for (size_t left = waiting_.size(); left > 0; --left) {
    if (loop_holds_.bytes > held_bytes_soft && privileged_ != 0) return;
    const int32_t id = waiting_.front();
    waiting_.pop_front();
    Http2Stream* stream = stream_of(session, id);
    if (stream == nullptr) continue;
    if (!takes_more(*stream)) {
      waiting_.push_back(id);
      continue;
    }
    if (loop_holds_.bytes > held_bytes_soft) privileged_ = id;
    stream->input_paused = false;
    give_back(session, *stream);
  }
}

}  // namespace lattice::proxy
