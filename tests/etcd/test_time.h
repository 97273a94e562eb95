// A replica's world in simulated time: timers and deferred calls run when the test lets time pass.
// Thread: one.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <utility>

#include "replica/environment.h"

namespace lattice::etcd::testing {

class TestTime final : public replica::Environment {
 public:
  Instant now() const override { return {now_}; }
  std::unique_ptr<replica::Timer> after(Duration delay,
                                        absl::AnyInvocable<void()> callback) override {
    auto task = std::make_shared<Task>(std::move(callback));
    add(delay, task);
    return std::make_unique<TestTimer>(task);
  }
  void defer(absl::AnyInvocable<void()> callback) override {
    add(Duration(0), std::make_shared<Task>(std::move(callback)));
  }
  void random_bytes(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(random_());
  }

  // Lets that much time pass.
  void run(Duration time) {
    const int64_t until = now_ + time.count();
    while (!tasks_.empty() && tasks_.begin()->first.first <= until) {
      auto next = tasks_.extract(tasks_.begin());
      now_ = next.key().first;
      // What a callback holds lives until it has returned, also when it destroys its own timer.
      auto callback = std::exchange(*next.mapped(), nullptr);
      if (callback) callback();
    }
    now_ = until;
  }

 private:
  using Task = absl::AnyInvocable<void()>;
  class TestTimer final : public replica::Timer {
   public:
    explicit TestTimer(std::shared_ptr<Task> task) : task_(std::move(task)) {}
    ~TestTimer() override { *task_ = nullptr; }

   private:
    std::shared_ptr<Task> task_;
  };

  void add(Duration delay, std::shared_ptr<Task> task) {
    tasks_.emplace(std::pair(now_ + delay.count(), ++order_), std::move(task));
  }

  int64_t now_ = 1;
  uint64_t order_ = 0;
  std::map<std::pair<int64_t, uint64_t>, std::shared_ptr<Task>> tasks_;
  std::mt19937 random_{7};
};

}  // namespace lattice::etcd::testing
