// A deterministic world for replicas: simulated time, an event queue, seeded randomness. The same
// seed runs the same events in the same order; trace() is a hash over all of them. Thread: one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/time.h"
#include "replica/environment.h"

namespace lattice::sim {

// SplitMix64: small, good enough, and the same everywhere.
class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // In [0, bound). Requires: bound > 0.
  uint64_t below(uint64_t bound) { return next() % bound; }
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low + 1)));
  }
  bool chance(int percent) { return below(100) < static_cast<uint64_t>(percent); }

 private:
  uint64_t state_;
};

class SimWorld {
 public:
  using Task = absl::AnyInvocable<void()>;

  explicit SimWorld(uint64_t seed) : rng_(seed) {}

  int64_t now() const { return now_; }
  Rng& rng() { return rng_; }

  // Runs `task` after `delay` nanoseconds; tasks of one moment run in the order of this call.
  void at(int64_t delay, Task task) {
    events_.emplace(std::pair(now_ + std::max<int64_t>(delay, 0), ++last_order_), std::move(task));
  }

  // Runs the next event, unless it lies behind `until`. Answers whether there was one.
  bool step(int64_t until) {
    if (events_.empty() || events_.begin()->first.first > until) {
      now_ = std::max(now_, until);
      return false;
    }
    auto node = events_.extract(events_.begin());
    now_ = node.key().first;
    mix(static_cast<uint64_t>(now_));
    mix(node.key().second);
    node.mapped()();
    return true;
  }
  void run_for(Duration duration) {
    const int64_t until = now_ + duration.count();
    while (step(until)) {
    }
  }

  // What happens is mixed into the trace, so that two runs of a seed can be compared.
  void mix(uint64_t value) {
    trace_ = (trace_ ^ value) * 0x100000001b3;
    trace_ ^= trace_ >> 29;
  }
  uint64_t trace() const { return trace_; }

 private:
  int64_t now_ = 0;
  uint64_t last_order_ = 0;
  uint64_t trace_ = 0xcbf29ce484222325;
  std::map<std::pair<int64_t, uint64_t>, Task> events_;
  Rng rng_;
};

// One operating-system process: it can be paused (SIGSTOP) and crash. Whatever is to happen inside
// it goes through deliver(), so that a pause holds it back and a crash loses it.
class SimProcess {
 public:
  explicit SimProcess(SimWorld& world) : world_(world) {}

  void deliver(int64_t delay, SimWorld::Task task) {
    world_.at(delay, [this, life = life_, task = std::move(task)]() mutable {
      if (life != life_) return;
      if (paused_) {
        held_.push_back(std::move(task));
      } else {
        task();
      }
    });
  }
  bool paused() const { return paused_; }
  void pause() { paused_ = true; }
  void resume() {
    paused_ = false;
    for (SimWorld::Task& task : std::exchange(held_, {})) deliver(0, std::move(task));
  }
  // What was to happen inside it never does.
  void crash() {
    ++life_;
    paused_ = false;
    held_.clear();
  }
  SimWorld& world() { return world_; }

 private:
  SimWorld& world_;
  uint64_t life_ = 0;
  bool paused_ = false;
  std::vector<SimWorld::Task> held_;
};

// What a process sees of the world: its own clock, with its own origin and a slightly wrong rate.
class SimEnvironment : public replica::Environment {
 public:
  explicit SimEnvironment(SimProcess& process, int64_t clock_origin = 0, int rate_ppm = 0)
      : process_(process), clock_origin_(clock_origin), rate_ppm_(rate_ppm) {}

  Instant now() const override {
    const int64_t world_now = process_.world().now();
    return {clock_origin_ + world_now + world_now / 1'000'000 * rate_ppm_};
  }
  // From now on others want the loop, too, of which such a part is this process's.
  void share(double part) { share_ = part; }
  // Where they do, long work is done in pieces of all sizes.
  [[nodiscard]] std::unique_ptr<replica::Turns> turns(replica::Turns::Work work) override {
    return std::make_unique<SimTurns>(*this, std::move(work));
  }
  double share_of(int64_t) const override { return share_; }
  // A planted bug: the clock jumps, as a wall clock would.
  void jump(Duration by) { clock_origin_ += by.count(); }

  std::unique_ptr<replica::Timer> after(Duration delay,
                                        absl::AnyInvocable<void()> callback) override {
    auto state = std::make_shared<TimerState>();
    state->callback = std::move(callback);
    // What the process calls `delay` lasts this long in the world's time; never early.
    const int64_t lasts = delay.count() - delay.count() / 1'000'000 * rate_ppm_ + 2000;
    process_.deliver(lasts, [state] {
      if (!state->callback) return;
      // The callback may destroy its own timer; what it captured lives until it has returned.
      auto run = std::exchange(state->callback, nullptr);
      run();
    });
    return std::make_unique<SimTimer>(std::move(state));
  }
  void defer(absl::AnyInvocable<void()> callback) override {
    process_.deliver(process_.world().rng().between(0, 50'000), std::move(callback));
  }
  void random_bytes(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(process_.world().rng().next());
  }

 private:
  struct TimerState {
    absl::AnyInvocable<void()> callback;
  };
  class SimTimer : public replica::Timer {
   public:
    explicit SimTimer(std::shared_ptr<TimerState> state) : state_(std::move(state)) {}
    ~SimTimer() override { state_->callback = nullptr; }

   private:
    std::shared_ptr<TimerState> state_;
  };

  class SimTurns : public replica::Turns {
   public:
    SimTurns(SimEnvironment& environment, Work work)
        : environment_(environment), work_(std::move(work)) {}
    bool shared() override { return environment_.share_ < 1; }
    void begin() override {
      if (timer_ != nullptr) return;
      timer_ = environment_.after({}, [this] {
        timer_.reset();
        Rng& rng = environment_.process_.world().rng();
        if (work_(shared() ? rng.below(piece_max) : whole_size)) begin();
      });
    }

   private:
    static constexpr uint64_t piece_max = 512;
    SimEnvironment& environment_;
    Work work_;
    std::unique_ptr<replica::Timer> timer_;
  };

  SimProcess& process_;
  int64_t clock_origin_;
  int rate_ppm_;
  double share_ = 1;
};

}  // namespace lattice::sim
