// The world as a replica sees it (replica/environment.h), on a real event loop.
// Thread: the loop's. Ownership: the loop must outlive it, and it the replicas that use it.
#pragma once

#include <memory>
#include <utility>

#include "base/planted.h"
#include "loop/loop.h"
#include "proxy/fair_shares.h"
#include "replica/environment.h"

namespace lattice::server {

class LoopEnvironment final : public replica::Environment {
 public:
  // `shares`: of the loop; null: it is one tenant's. `flow`: the tenant whose replica this is for;
  // null: nobody's, and no long work is done here.
  explicit LoopEnvironment(loop::Loop& loop, proxy::FairShares* shares = nullptr,
                           proxy::SharedFlow flow = nullptr)
      : loop_(loop), shares_(shares), flow_(std::move(flow)) {}

  // Not the loop's now(): that stands still within a turn, and a fence that was checked late in a
  // long turn would hold on a time when it still was up (log-protocol L5).
  Instant now() const override {
    return planted(Planted::wall_clock_deadlines) ? wall_clock() : loop_.fresh_now();
  }
  [[nodiscard]] std::unique_ptr<replica::Timer> after(Duration delay,
                                                      absl::AnyInvocable<void()> callback) override;
  void defer(absl::AnyInvocable<void()> callback) override { loop_.defer(std::move(callback)); }
  void random_bytes(std::span<uint8_t> out) override;
  double share_of(int64_t weight) const override {
    return shares_ == nullptr ? 1 : shares_->share_of(weight);
  }
  [[nodiscard]] std::unique_ptr<replica::Turns> turns(replica::Turns::Work work) override;
  void charge(Duration took) override {
    if (flow_ != nullptr)
      shares_->charge(*flow_, shares_->work_clock().since(shares_->now() - took));
  }

 private:
  static Instant wall_clock();  // for a planted bug

  loop::Loop& loop_;
  proxy::FairShares* const shares_;
  const proxy::SharedFlow flow_;
};

}  // namespace lattice::server
