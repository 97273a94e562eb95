// An Environment whose turns a test runs by hand, and a mailbox that other threads can post to.
// Thread: turn() and the Environment's calls from the test; post() from any.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>

#include "replica/environment.h"

namespace lattice::backends {

class QueueEnvironment final : public replica::Environment {
 public:
  Instant now() const override { return {}; }
  std::unique_ptr<replica::Timer> after(Duration, absl::AnyInvocable<void()>) override {
    return nullptr;  // the backends under test set no timers through it
  }
  void defer(absl::AnyInvocable<void()> callback) override { post(std::move(callback)); }
  void random_bytes(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(random_());
  }

  void post(absl::AnyInvocable<void()> task) {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    posted_.notify_one();
  }
  // Runs what was posted; waits up to a millisecond for something.
  void turn() {
    std::deque<absl::AnyInvocable<void()>> tasks;
    {
      std::unique_lock lock(mutex_);
      posted_.wait_for(lock, std::chrono::milliseconds(1), [&] { return !tasks_.empty(); });
      tasks.swap(tasks_);
    }
    for (auto& task : tasks) task();
  }

 private:
  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<absl::AnyInvocable<void()>> tasks_;
  std::mt19937 random_{42};
};

}  // namespace lattice::backends
