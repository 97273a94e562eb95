// What those who ask the leader (ReadIndex, Forwarder) need of the replica around them, and when
// they try again.
// Thread: the replica's loop.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "base/ids.h"
#include "replica/environment.h"
#include "replica/write_queue.h"

namespace lattice::replica {

class LeaderHost {
 public:
  virtual ~LeaderHost() = default;
  // Where the leader can be asked; empty while that is not known.
  virtual std::string leader_address() const = 0;
  // The leader has answered: everything up to this position may be shown.
  virtual void on_announced(const Position& position) = 0;
  // The leader is not where it was thought to be.
  virtual void on_leader_doubtful() = 0;
  // For what waits for a leader.
  virtual Patience patience() const = 0;
};

// The next attempt to reach the leader: one, a little later, however often it is asked for.
class LeaderRetry {
 public:
  LeaderRetry(Environment& environment, absl::AnyInvocable<void()> attempt)
      : environment_(environment), attempt_(std::move(attempt)) {}

  void later() {
    if (timer_ != nullptr) return;
    timer_ = environment_.after(interval, [this] {
      timer_.reset();
      attempt_();
    });
  }

 private:
  static constexpr Duration interval = std::chrono::milliseconds(20);

  Environment& environment_;
  absl::AnyInvocable<void()> attempt_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace lattice::replica
