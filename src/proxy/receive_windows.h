// How much a peer may send: gives HTTP/2 flow control windows back as data is taken, and withholds
// a stream's window while the stream, or the connection as a whole, holds too much.
//
// A connection holds the unfinished messages of its streams, which no service has seen yet. While
// all connections of the loop hold more than held_bytes_soft, one stream of each, the privileged
// one, is given more window and its others wait in line: so one message after the other completes.
// Streams can still fill the windows they had; at held_bytes_hard a call that would hold more is
// refused if its connection holds more than an equal share, so whoever sends little is served. N
// connections then hold at most held_bytes_hard * (1 + ln N).
//
// Thread: the connection's loop.
#pragma once

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace lattice::proxy {

class Http2Stream;

// What the connections of one loop hold together.
struct HeldBytes {
  size_t bytes = 0;
  size_t connections = 0;  // that hold anything
};

class ReceiveWindows {
 public:
  // What nobody can be kept from sending on each stream. A put that is larger waits for a round
  // trip for each further window.
  static constexpr int32_t stream_window = 128 << 10;
  static constexpr int32_t connection_window = 16 << 20;
  static constexpr size_t held_bytes_soft = 8 << 20;
  static constexpr size_t held_bytes_hard = 24 << 20;

  ReceiveWindows(size_t send_buffer_bytes_max, HeldBytes& loop_holds)
      : send_buffer_bytes_max_(send_buffer_bytes_max), loop_holds_(loop_holds) {}

  // `size` bytes arrived for `stream` (null: for one that is gone).
  void received(nghttp2_session* session, Http2Stream* stream, size_t size);
  // What the stream holds or queues has changed, from `held_before`.
  void update(nghttp2_session* session, Http2Stream& stream, size_t held_before);
  void closed(nghttp2_session* session, int32_t id, size_t held_before);
  bool overfull() const {
    return loop_holds_.bytes > held_bytes_hard &&
           held_ > held_bytes_hard / std::max<size_t>(loop_holds_.connections, 1);
  }

 private:
  bool takes_more(const Http2Stream& stream) const;
  bool may_receive(const Http2Stream& stream) const;
  void give_back(nghttp2_session* session, Http2Stream& stream);
  void release_waiting(nghttp2_session* session);

  void change_held(size_t before, size_t now);

  size_t send_buffer_bytes_max_;
  HeldBytes& loop_holds_;
  size_t held_ = 0;
  size_t unconsumed_ = 0;        // of the connection's window
  int32_t privileged_ = 0;       // until its message is complete or it has gone; 0: none
  std::deque<int32_t> waiting_;  // streams whose window is withheld, oldest first
};

}  // namespace lattice::proxy
