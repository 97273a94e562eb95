#include "replica/poll_clock.h"

namespace lattice::replica {

class PollClock::Waiter final : public Timer {
 public:
  Waiter(PollClock& clock, const Key& key) : clock_(clock), key_(key) {}
  // The tick that finds nobody waiting ends the timer.
  ~Waiter() override { clock_.waiting_.erase(key_); }

 private:
  PollClock& clock_;
  const Key key_;
};

std::unique_ptr<Timer> PollClock::at_next(absl::AnyInvocable<void()> callback) {
  const Instant earliest = environment_.now() + interval_ / 2;
  const auto passed = (earliest - origin_).count();
  const Key key{origin_ + interval_ * (passed / interval_.count() + 1), next_++};
  waiting_.emplace(key, std::move(callback));
  if (timer_ == nullptr || key.first < armed_for_) arm();
  return std::make_unique<Waiter>(*this, key);
}

void PollClock::arm() {
  armed_for_ = waiting_.begin()->first.first;
  timer_ = environment_.after(armed_for_ - environment_.now(), [this] { tick(); });
}

void PollClock::tick() {
  const auto alive = lifetime_.watch();
  // Never those that begin to wait meanwhile: they are due later.
  while (!waiting_.empty() && waiting_.begin()->first.first <= armed_for_) {
    absl::AnyInvocable<void()> callback = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    callback();
    if (alive.expired()) return;
  }
  timer_.reset();
  if (!waiting_.empty()) arm();
}

}  // namespace lattice::replica
