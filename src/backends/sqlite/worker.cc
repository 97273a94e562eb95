#include "backends/sqlite/worker.h"

#include <pthread.h>
#include <signal.h>

#include <future>

namespace lattice::backends {

Worker::Worker(const char* name) : thread_([this, name] { main(name); }) {}

Worker::~Worker() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
}

void Worker::post(Job job) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    if (jobs_.size() > 1) return;  // it is awake, or about to be
  }
  wake_.notify_one();
}

void Worker::run(absl::AnyInvocable<void()> job) {
  std::promise<void> ran;
  post([&] {
    job();
    ran.set_value();
  });
  ran.get_future().wait();
}

void Worker::every(std::chrono::nanoseconds interval, Job tick) {
  {
    std::lock_guard lock(mutex_);
    interval_ = interval;
    tick_ = std::move(tick);
  }
  wake_.notify_one();
}

void Worker::main(const char* name) {
  pthread_setname_np(pthread_self(), name);
  // Signals are for the threads that expect them.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);

  std::unique_lock lock(mutex_);
  auto next_tick = std::chrono::steady_clock::now();
  while (true) {
    run_jobs(lock);
    if (stopping_ && jobs_.empty()) return;
    if (interval_.count() == 0) {
      wake_.wait(lock, [&] { return stopping_ || !jobs_.empty() || interval_.count() > 0; });
      continue;
    }
    wake_.wait_until(lock, next_tick, [&] { return stopping_ || !jobs_.empty(); });
    if (std::chrono::steady_clock::now() >= next_tick) {
      lock.unlock();
      tick_();
      lock.lock();
      next_tick = std::chrono::steady_clock::now() + interval_;
    }
  }
}

void Worker::run_jobs(std::unique_lock<std::mutex>& lock) {
  // What is there now, not what the jobs themselves post: a tick waits behind a bounded list.
  for (size_t count = jobs_.size(); count > 0; --count) {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
}

}  // namespace lattice::backends
