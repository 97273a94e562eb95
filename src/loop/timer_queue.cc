#include "loop/timer_queue.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <utility>

namespace lattice::loop {

class TimerQueue::Entry final : public TimerHandle {
 public:
  Entry(TimerQueue& queue, Instant due, uint64_t order, Task callback)
      : queue_(queue), due_(due), order_(order), callback_(std::move(callback)) {}
  ~Entry() override {
    if (index_ != not_queued) queue_.remove(this);
  }

  bool before(const Entry& other) const {
    return due_ != other.due_ ? due_ < other.due_ : order_ < other.order_;
  }

  static constexpr size_t not_queued = SIZE_MAX;
  TimerQueue& queue_;
  Instant due_;
  uint64_t order_;  // equal due times fire in the order of creation
  size_t index_ = not_queued;
  Task callback_;
};

TimerQueue::TimerQueue() : fd_(timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC)) {
  if (fd_ < 0) {
    std::perror("timerfd_create");
    std::abort();
  }
}

TimerQueue::~TimerQueue() {
  if (!heap_.empty()) {
    std::fprintf(stderr, "a timer outlives its loop\n");
    std::abort();
  }
  close(fd_);
}

std::unique_ptr<TimerHandle> TimerQueue::add(Instant due, Task callback) {
  auto entry = std::make_unique<Entry>(*this, due, next_order_++, std::move(callback));
  heap_.push_back(entry.get());
  sift_up(heap_.size() - 1);
  if (due < armed_) arm(due);
  return entry;
}

void TimerQueue::run_due(Instant now) {
  uint64_t expirations = 0;
  // Only clears readiness; a spurious wake-up (EAGAIN) is harmless.
  [[maybe_unused]] ssize_t ignored = read(fd_, &expirations, sizeof expirations);
  armed_ = Instant::never();
  const uint64_t first_new = next_order_;
  while (!heap_.empty() && heap_[0]->due_ <= now && heap_[0]->order_ < first_new) {
    Entry* entry = heap_[0];
    remove(entry);
    // Moved out, because the callback may destroy its own handle.
    Task callback = std::move(entry->callback_);
    callback();
  }
  if (!heap_.empty() && heap_[0]->due_ < armed_) arm(heap_[0]->due_);
}

void TimerQueue::place(size_t index, Entry* entry) {
  heap_[index] = entry;
  entry->index_ = index;
}

void TimerQueue::sift_up(size_t index) {
  Entry* entry = heap_[index];
  while (index > 0) {
    const size_t parent = (index - 1) / 2;
    if (!entry->before(*heap_[parent])) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, entry);
}

void TimerQueue::sift_down(size_t index) {
  Entry* entry = heap_[index];
  for (;;) {
    size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->before(*heap_[child])) ++child;
    if (!heap_[child]->before(*entry)) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, entry);
}

void TimerQueue::remove(Entry* entry) {
  // The descriptor stays armed for a cancelled timer: one wake-up too many costs less than a system
  // call for each of the many deadlines that never strike.
  const size_t index = entry->index_;
  entry->index_ = Entry::not_queued;
  Entry* last = heap_.back();
  heap_.pop_back();
  if (last == entry) return;
  place(index, last);
  sift_up(index);
  sift_down(last->index_);
}

void TimerQueue::arm(Instant due) {
  armed_ = due;
  // Zero would disarm.
  const int64_t at = due.nanoseconds > 0 ? due.nanoseconds : 1;
  itimerspec spec{};
  spec.it_value.tv_sec = at / 1'000'000'000;
  spec.it_value.tv_nsec = at % 1'000'000'000;
  timerfd_settime(fd_, TFD_TIMER_ABSTIME, &spec, nullptr);
}

}  // namespace lattice::loop
