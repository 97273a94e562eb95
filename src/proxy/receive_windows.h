// How much a peer may send: gives HTTP/2 flow control windows back as data is taken, and withholds
// a stream's window while the stream, or the connection as a whole, holds too much.
//
// A connection holds the unfinished messages of its streams, which no service has seen yet. Above
// held_bytes_soft one stream, the privileged one, is given more window and the others wait in line:
// so one message after the other completes. Streams can still fill the windows they had; at
// held_bytes_hard the call that would hold more is refused.
//
// Thread: the connection's loop.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <deque>

namespace lattice::proxy {

class Http2Stream;

class ReceiveWindows {
 public:
  // What is under way to us at 1 GB/s and 1 ms; smaller ones would bind large puts to the round
  // trip.
  static constexpr int32_t stream_window = 1 << 20;
  static constexpr int32_t connection_window = 16 << 20;
  static constexpr size_t held_bytes_soft = 32 << 20;
  static constexpr size_t held_bytes_hard = 128 << 20;

  explicit ReceiveWindows(size_t send_buffer_bytes_max)
      : send_buffer_bytes_max_(send_buffer_bytes_max) {}

  // `size` bytes arrived for `stream` (null: for one that is gone).
  void received(nghttp2_session* session, Http2Stream* stream, size_t size);
  // What the stream holds or queues has changed, from `held_before`.
  void update(nghttp2_session* session, Http2Stream& stream, size_t held_before);
  void closed(nghttp2_session* session, int32_t id, size_t held_before);
  bool overfull() const { return held_ > held_bytes_hard; }

 private:
  bool may_receive(const Http2Stream& stream) const;
  void give_back(nghttp2_session* session, Http2Stream& stream);
  void release_waiting(nghttp2_session* session);

  size_t send_buffer_bytes_max_;
  size_t held_ = 0;
  size_t unconsumed_ = 0;        // of the connection's window
  int32_t privileged_ = 0;       // until its message is complete or it has gone; 0: none
  std::deque<int32_t> waiting_;  // streams whose window is withheld, oldest first
};

}  // namespace lattice::proxy
