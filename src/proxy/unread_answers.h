// What the clients of one connection have been answered and have not taken yet: bodies of calls
// that have ended, which wait for HTTP/2's windows and for the socket, each with what its stream
// takes (when only bodies counted, 1.2 million answers of 120 bytes were 2 GiB). Bodies of calls
// that go on (watches, lists in pieces) are their services' to hold back, and are not among them.
//
// Up to `own_bytes` is every connection's. What one has beyond that counts among all connections of
// the process, so the total is bounded however many connections there are, costs nothing where
// clients read, and who reads is not refused for the sake of who does not. A burst that is read at
// once may be larger than what may stay, but none of one connection may come near what closes it to
// writes (http2_input.cc): a put must find room behind lists.
//
// Thread: the connection's loop; `shared` is any thread's and outlives this. Pure: the time comes
// from outside.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>

#include "base/time.h"

namespace lattice::proxy {

class UnreadAnswers {
 public:
  static constexpr size_t own_bytes = 1 << 20;
  static constexpr size_t standing_bytes_max = 64 << 20;  // of all, behind the patience
  static constexpr size_t burst_bytes_max = 256 << 20;
  static constexpr size_t connection_bytes_max = 96 << 20;  // of one, even for an instant
  static constexpr Duration patience = std::chrono::milliseconds(500);

  explicit UnreadAnswers(std::atomic<size_t>& shared) : shared_(shared) {}
  ~UnreadAnswers() { set_bytes(0); }
  UnreadAnswers(const UnreadAnswers&) = delete;
  UnreadAnswers& operator=(const UnreadAnswers&) = delete;

  // One more has ended, with so much still to be sent.
  void add(size_t bytes) {
    ++answers_;
    set_bytes(bytes_ + bytes);
  }
  // Part of one has left. Requires: not more than there is.
  void take(size_t bytes) { set_bytes(bytes_ - bytes); }
  // One has left with its last `bytes`, or was dropped with so much.
  void remove(size_t bytes) {
    --answers_;
    set_bytes(bytes_ - bytes);
  }

  size_t bytes() const { return bytes_; }
  // Of an answer that waits alone, however large it is: whoever reads it shall have it, and
  // whatever else the connection is for meanwhile.
  size_t lone_bytes() const { return answers_ == 1 ? bytes_ : 0; }
  // Reads would only lengthen the queue.
  bool pile_up(Instant now) {
    if (answers_ >= 2 && bytes_ > connection_bytes_max) return true;
    const size_t all = shared_.load(std::memory_order_relaxed);
    if (answers_ < 2 || bytes_ <= own_bytes || all <= standing_bytes_max) {
      crowded_since_.reset();
      return false;
    }
    if (!crowded_since_) crowded_since_ = now;
    return all > burst_bytes_max || now - *crowded_since_ >= patience;
  }

 private:
  static size_t beyond_own(size_t bytes) { return bytes > own_bytes ? bytes - own_bytes : 0; }
  void set_bytes(size_t bytes) {
    const size_t before = beyond_own(bytes_);
    const size_t now = beyond_own(bytes);
    // Modulo 2^64, so that less is a sum, too.
    if (now != before) shared_.fetch_add(now - before, std::memory_order_relaxed);
    bytes_ = bytes;
  }

  std::atomic<size_t>& shared_;
  size_t bytes_ = 0;
  size_t answers_ = 0;
  std::optional<Instant> crowded_since_;
};

}  // namespace lattice::proxy
