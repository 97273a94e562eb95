// Runs what would block a loop, or keep it busy for milliseconds, on a thread of its own.
// Thread: run() on the loop; `work` runs on the side, one after the other, `done` on the loop.
//   Destroying it waits for the work that is running, if any; no `done` comes after that. `work` is
//   destroyed before `done` is called, so what they share may belong to the loop's thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "loop/loop.h"

namespace lattice::loop {

class SideThread {
 public:
  // `thread_name`: as tools show it, at most 15 characters. More than `waiting_max` do not wait.
  SideThread(Loop& loop, std::string thread_name, size_t waiting_max);
  ~SideThread();
  SideThread(const SideThread&) = delete;
  SideThread& operator=(const SideThread&) = delete;

  // False: too much waits already; neither is called.
  bool run(Task work, Task done);

 private:
  struct Job {
    Task work;
    Task done;
  };
  void main();

  Loop& loop_;
  const std::string thread_name_;
  const size_t waiting_max_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // the loop's thread only
  std::mutex mutex_;
  std::condition_variable wake_;
  // Under mutex_.
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;  // started by the first job
};

}  // namespace lattice::loop
