// Runs what would block a loop, or keep it busy for milliseconds, on a thread of its own.
// Thread: run() and start() on the loop; `work` runs on the side, one after the other, `done` on
//   the loop. Destroying it waits for the work that is running, if any; no `done` comes after that.
//   `work` is destroyed before `done` is, called or not, and that on the loop: what they share may
//   belong to the loop's thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "loop/loop.h"

namespace lattice::loop {

// Work that was handed over. Destroying it gives it up: work that has not begun is taken back, and
// `done` is not called. May outlive the thread, and may be destroyed by its own `done`.
class SideJob {
 public:
  virtual ~SideJob() = default;
};

class SideThread {
 public:
  enum class Priority : uint8_t { as_loops, behind_loops };

  // `thread_name`: as tools show it, at most 15 characters. More than `waiting_max` do not wait.
  SideThread(Loop& loop, std::string thread_name, size_t waiting_max,
             Priority priority = Priority::as_loops);
  ~SideThread();
  SideThread(const SideThread&) = delete;
  SideThread& operator=(const SideThread&) = delete;

  // False: too much waits already; neither is called.
  bool run(Task work, Task done);
  // Null: likewise.
  [[nodiscard]] std::unique_ptr<SideJob> start(Task work, Task done);

 private:
  class Handle;
  struct Job {
    Task work;
    Task done;
  };
  // Its number; 0: too much waits already.
  uint64_t add(Job job);
  void take_back(uint64_t number);
  void main();

  Loop& loop_;
  const std::string thread_name_;
  const size_t waiting_max_;
  const Priority priority_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // the loop's thread only
  std::mutex mutex_;
  std::condition_variable wake_;
  // Under mutex_.
  std::map<uint64_t, Job> jobs_;  // those that wait, in the order in which they came
  uint64_t added_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // started by the first job
};

}  // namespace lattice::loop
