#include "server/loop_environment.h"

#include <sys/random.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <utility>

namespace lattice::server {
namespace {

class LoopTimer final : public replica::Timer {
 public:
  explicit LoopTimer(std::unique_ptr<loop::TimerHandle> handle) : handle_(std::move(handle)) {}

 private:
  std::unique_ptr<loop::TimerHandle> handle_;
};

// Work of a tenant's replica among what all tenants want of the loop.
class FairTurns final : public replica::Turns, private proxy::FairWaiter {
 public:
  FairTurns(loop::Loop& loop, proxy::FairShares& shares, proxy::SharedFlow flow, Work work)
      : loop_(loop), shares_(shares), flow_(std::move(flow)), work_(std::move(work)) {}
  ~FairTurns() override { shares_.remove(*this); }

  bool shared() override {
    shares_.note(flow_, loop_.now());
    return shares_.contended();
  }
  void begin() override {
    if (waits() || timer_ != nullptr) return;
    if (shared()) return shares_.enqueue(*this, flow_);
    // Not the end of this turn: between two calls the loop does everything else.
    timer_ = loop_.after({}, [this] {
      timer_.reset();
      if (work_(whole_size)) begin();
    });
  }

 private:
  bool run(size_t size) override { return work_(size); }

  loop::Loop& loop_;
  proxy::FairShares& shares_;
  const proxy::SharedFlow flow_;
  Work work_;
  std::unique_ptr<loop::TimerHandle> timer_;
};

}  // namespace

Instant LoopEnvironment::wall_clock() {
  return {std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count()};
}

std::unique_ptr<replica::Timer> LoopEnvironment::after(Duration delay,
                                                       absl::AnyInvocable<void()> callback) {
  return std::make_unique<LoopTimer>(loop_.after(delay, std::move(callback)));
}

std::unique_ptr<replica::Turns> LoopEnvironment::turns(replica::Turns::Work work) {
  if (flow_ == nullptr) return Environment::turns(std::move(work));
  return std::make_unique<FairTurns>(loop_, *shares_, flow_, std::move(work));
}

void LoopEnvironment::random_bytes(std::span<uint8_t> out) {
  // Ids must never repeat; a system that cannot give random bytes is not one to run on.
  while (!out.empty()) {
    ssize_t size = getrandom(out.data(), out.size(), 0);
    if (size > 0) {
      out = out.subspan(static_cast<size_t>(size));
    } else if (errno != EINTR) {
      std::abort();
    }
  }
}

}  // namespace lattice::server
