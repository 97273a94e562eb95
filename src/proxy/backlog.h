// How long what one connection sends has waited in its socket before it was read, measured while
// there is more than is read at a time: so many bytes are found waiting, and when they have been
// read the last of them has waited since then. A connection whose socket is emptied costs nothing.
//
// It is a standing queue, and no burst, when it has stayed too long for a while (CoDel's idea):
// then reads and new watches are refused, so that what changes something is reached sooner.
//
// Thread: one owner. Pure: the time and the number of bytes come from outside.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "base/time.h"

namespace lattice::proxy {

class Backlog {
 public:
  static constexpr Duration target = std::chrono::milliseconds(500);
  static constexpr Duration interval = std::chrono::milliseconds(500);

  // A read has emptied the socket.
  void on_emptied() {
    if (left_ != 0 || wait_ != Duration{}) *this = {};
  }
  // A read took `bytes`, and did not look for more. `waiting()`: how many bytes wait now.
  template <class Waiting>
  void on_read(size_t bytes, Instant now, Waiting waiting) {
    if (left_ > bytes) {
      left_ -= bytes;
      return;
    }
    if (left_ > 0) judge(now - marked_at_, now);
    left_ = waiting();
    marked_at_ = now;
    if (left_ == 0) on_emptied();
  }
  // For how long what comes now has waited, where that is too long; otherwise zero.
  Duration overdue() const { return overdue_ ? wait_ : Duration{}; }

 private:
  void judge(Duration wait, Instant now) {
    wait_ = wait;
    if (wait < target) {
      over_since_.reset();
    } else if (!over_since_) {
      over_since_ = now;
    }
    overdue_ = over_since_ && now - *over_since_ >= interval;
  }

  size_t left_ = 0;  // until the byte that was the last when it was looked; 0: none is followed
  Instant marked_at_;
  Duration wait_{};  // of the last byte that was followed
  std::optional<Instant> over_since_;
  bool overdue_ = false;
};

}  // namespace lattice::proxy
