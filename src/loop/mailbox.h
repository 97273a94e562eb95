// What other threads ask a loop to do. Posting to a loop that is awake costs a lock and a push;
// only the first post to a sleeping loop writes to its eventfd.
//
// Thread: post() and request_stop() from any; the rest from the loop's.
// Invariant: whenever tasks wait and the loop may sleep, a write to the eventfd is under way or
// done.
#pragma once

#include <mutex>
#include <vector>

#include "loop/loop.h"

namespace lattice::loop {

class Mailbox {
 public:
  Mailbox();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Registered edge-triggered, so that nobody needs to read it.
  int fd() const { return fd_; }
  void post(Task task);
  void request_stop();
  // Called before waiting: whether there is nothing to do. From then on posts wake the loop.
  bool fall_asleep();
  // Swaps the waiting tasks into `tasks` (empty on entry) and ends sleep. Returns whether stop was
  // asked for before now; reports it once.
  bool collect(std::vector<Task>* tasks);

 private:
  void wake();

  int fd_;
  std::mutex mutex_;
  std::vector<Task> tasks_;
  bool stop_requested_ = false;
  bool sleeping_ = false;
};

}  // namespace lattice::loop
