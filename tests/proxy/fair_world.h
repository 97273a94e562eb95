// A loop that does nothing but fair turns, and work for it, on a clock of the test's own.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "proxy/fair_shares.h"

namespace lattice::proxy {

struct FairWorld {
  Instant now{1'000'000'000};
  Duration elsewhere{};  // for how long something else had the processor
  bool turn_wanted = false;
  FairShares shares{{.now = [this] { return now; },
                     .thread_time = [this] { return now - Instant{} - elsewhere; },
                     .call_in_this_turn = [this] { turn_wanted = true; },
                     .call_in_next_turn = [this] { turn_wanted = true; }}};

  void turn() {
    turn_wanted = false;
    shares.run_turn();
  }
};

constexpr int endless = 1 << 20;  // pieces: more than any test has done

// Work that comes in pieces of the same length.
struct Work final : FairWaiter {
  Work(FairWorld& in, SharedFlow of, Duration each, int pieces)
      : world(in), flow(std::move(of)), takes(each), left(pieces) {}
  ~Work() override { world.shares.remove(*this); }
  void want() {
    world.shares.note(flow, world.now);
    world.shares.enqueue(*this, flow);
  }
  bool run(size_t size) override {
    sizes.push_back(size);
    world.now = world.now + takes + stall;
    world.elsewhere += std::exchange(stall, {});
    taken += takes;
    ended_at = world.now;
    return --left > 0;
  }

  FairWorld& world;
  const SharedFlow flow;
  const Duration takes;
  int left;
  Duration stall{};  // of the next piece
  Duration taken{};
  Instant ended_at;
  std::vector<size_t> sizes;
};

inline SharedFlow flow_of(int64_t weight) {
  auto flow = std::make_shared<FairFlow>(std::make_shared<FairFlow::Count>(0));
  flow->set_limits(weight, 0);
  return flow;
}

using Crowd = std::vector<std::unique_ptr<Work>>;

// `count` connections that want something from now on, of each flow in turn.
inline Crowd crowd_of(FairWorld& world, const std::vector<SharedFlow>& flows, Duration each,
                      size_t count, int pieces = endless) {
  Crowd crowd;
  for (size_t i = 0; i < count; ++i) {
    crowd.push_back(std::make_unique<Work>(world, flows[i % flows.size()], each, pieces));
    crowd.back()->want();
  }
  return crowd;
}

}  // namespace lattice::proxy
