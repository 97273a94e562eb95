#include "loop/side_thread.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace lattice::loop {

SideThread::SideThread(Loop& loop, std::string thread_name, size_t waiting_max)
    : loop_(loop), thread_name_(std::move(thread_name)), waiting_max_(waiting_max) {}

SideThread::~SideThread() {
  *alive_ = false;
  std::deque<Job> unfinished;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    unfinished.swap(jobs_);
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool SideThread::run(Task work, Task done) {
  {
    std::lock_guard lock(mutex_);
    if (jobs_.size() >= waiting_max_) return false;
    jobs_.push_back({std::move(work), std::move(done)});
  }
  wake_.notify_one();
  if (!thread_.joinable()) thread_ = std::thread([this] { main(); });
  return true;
}

void SideThread::main() {
  pthread_setname_np(pthread_self(), thread_name_.c_str());
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job.work();
    // Before `done` can run: what both refer to ends on the loop, where it belongs.
    job.work = nullptr;
    loop_.post([alive = alive_, done = std::move(job.done)]() mutable {
      if (*alive) done();
    });
    lock.lock();
  }
}

}  // namespace lattice::loop
