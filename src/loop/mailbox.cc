#include "loop/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace lattice::loop {

Mailbox::Mailbox() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) {
    std::perror("eventfd");
    std::abort();
  }
}

Mailbox::~Mailbox() { close(fd_); }

void Mailbox::post(Task task) {
  bool asleep;
  {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    asleep = std::exchange(sleeping_, false);
  }
  if (asleep) wake();
}

void Mailbox::request_stop() {
  bool asleep;
  {
    std::lock_guard lock(mutex_);
    stop_requested_ = true;
    asleep = std::exchange(sleeping_, false);
  }
  if (asleep) wake();
}

bool Mailbox::fall_asleep() {
  std::lock_guard lock(mutex_);
  sleeping_ = tasks_.empty() && !stop_requested_;
  return sleeping_;
}

bool Mailbox::collect(std::vector<Task>* tasks) {
  std::lock_guard lock(mutex_);
  sleeping_ = false;
  tasks->swap(tasks_);
  return std::exchange(stop_requested_, false);
}

void Mailbox::wake() {
  const uint64_t one = 1;
  // Cannot fail but for a counter near 2^64, which no process lives to see.
  [[maybe_unused]] ssize_t ignored = write(fd_, &one, sizeof one);
}

}  // namespace lattice::loop
