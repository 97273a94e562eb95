// A thread that runs jobs in the order in which they were posted.
// Thread: post() from any; jobs run on the worker's thread.
// Ownership: destroying it runs what was posted before, then joins. Must not be destroyed by a job.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "absl/functional/any_invocable.h"

namespace lattice::backends {

class Worker {
 public:
  using Job = absl::AnyInvocable<void()>;

  // `name` (15 characters at most) is what ps and top show.
  explicit Worker(const char* name);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void post(Job job);
  // Posts and waits until the job has run. Not from a job.
  void run(absl::AnyInvocable<void()> job);
  // Also runs `tick` whenever `interval` has passed, between jobs. Before the first post only.
  void every(std::chrono::nanoseconds interval, Job tick);

 private:
  void main(const char* name);
  void run_jobs(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable wake_;
  // Under mutex_.
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::chrono::nanoseconds interval_{0};
  Job tick_;

  std::jthread thread_;  // last: starts when the rest is there
};

}  // namespace lattice::backends
