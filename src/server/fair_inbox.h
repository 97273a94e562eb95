// What another loop asks of the loop that owns a tenant's replica: run there in the order of
// posting, at once where that loop is one tenant's, and when it is this tenant's turn where others
// want it, too (proxy/fair_shares.h).
//
// Thread: the owner's loop; post() from any.
// Ownership: outlives what was posted: close a tenant through it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <utility>

#include "loop/loop.h"
#include "proxy/fair_shares.h"

namespace lattice::server {

class FairInbox final : private proxy::FairWaiter {
 public:
  // Both outlive it.
  FairInbox(loop::Loop& owner, proxy::FairShares& shares, proxy::SharedFlow flow)
      : owner_(owner), shares_(shares), flow_(std::move(flow)) {}
  ~FairInbox() override { shares_.remove(*this); }
  FairInbox(const FairInbox&) = delete;
  FairInbox& operator=(const FairInbox&) = delete;

  void post(loop::Task task) {
    owner_.post([this, task = std::move(task)]() mutable { take(std::move(task)); });
  }

 private:
  static constexpr size_t size_of_task = 64;

  void take(loop::Task task) {
    shares_.note(flow_, owner_.now());
    if (tasks_.empty() && !shares_.contended()) return task();
    tasks_.push_back(std::move(task));
    if (!waits()) shares_.enqueue(*this, flow_);
  }
  bool run(size_t size) override {
    for (size_t i = 0; i < std::max<size_t>(size / size_of_task, 1) && !tasks_.empty(); ++i) {
      loop::Task task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
    return !tasks_.empty();
  }

  loop::Loop& owner_;
  proxy::FairShares& shares_;
  const proxy::SharedFlow flow_;
  std::deque<loop::Task> tasks_;
};

}  // namespace lattice::server
