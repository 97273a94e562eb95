// The timers of one loop: a binary heap whose entries know their place, so that cancelling is O(log
// n), and one timerfd on CLOCK_BOOTTIME that wakes the loop for the earliest.
//
// libevent's own timers are not used: they run on a 4 ms clock unless a timerfd is set in every
// turn. This one is set only when the earliest due time moves forward.
//
// Thread: the loop's.
// Ownership: entries belong to the handles given out; the queue only refers to them.
#pragma once

#include <memory>
#include <vector>

#include "loop/loop.h"

namespace lattice::loop {

class TimerQueue {
 public:
  TimerQueue();
  ~TimerQueue();
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  // Readable when a timer may be due.
  int fd() const { return fd_; }
  std::unique_ptr<TimerHandle> add(Instant due, Task callback);
  // Runs what is due at `now`; timers added meanwhile wait for the next call.
  void run_due(Instant now);
  bool empty() const { return heap_.empty(); }

 private:
  class Entry;
  void place(size_t index, Entry* entry);
  void sift_up(size_t index);
  void sift_down(size_t index);
  void remove(Entry* entry);
  void arm(Instant due);

  int fd_;
  // Invariant: armed_ <= the due time of every entry, or an expiry of the descriptor is unread.
  Instant armed_ = Instant::never();
  uint64_t next_order_ = 0;
  std::vector<Entry*> heap_;
};

}  // namespace lattice::loop
