#include "replica/read_queue.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace lattice::replica {
namespace {
constexpr Duration read_sweep_interval = std::chrono::milliseconds(100);
}  // namespace

Status ReadQueue::bound() const {
  const LinearBound* const bound = state_.options.linear_bound;
  return bound == nullptr ? Status() : bound->check(state_.environment.now());
}

Status ReadQueue::hopeless(Needs needs) const {
  if (state_.log.reachable()) return {};
  return {needs == Needs::linearizable ? Error::linearizability_unavailable
                                       : Error::backend_unavailable,
          std::string(unreachable_reason)};
}

void ReadQueue::add(Needs needs, Call call) {
  if (!closed_.ok()) return call(closed_);
  if (Status status = refusal(needs); !status.ok()) return call(std::move(status));
  if (Status status = hopeless(needs); !status.ok()) return call(std::move(status));
  const auto round = needs == Needs::linearizable ? host_.join_round() : ReadIndex::none;
  waiting_.push_back({state_.environment.now(), needs, std::move(call), round});
  arm_sweep();
}

bool ReadQueue::waits_for(Needs needs) const {
  return std::any_of(waiting_.begin(), waiting_.end(),
                     [needs](const Waiting& entry) { return entry.needs == needs; });
}

bool ReadQueue::ready(Waiting& entry) {
  if (host_.meets(entry.needs)) return true;
  if (entry.needs != Needs::linearizable) return false;
  if (entry.round == ReadIndex::none) entry.round = host_.join_round();
  return host_.round_reached(entry.round);
}

void ReadQueue::refuse_leading(const Status& status) {
  std::deque<Waiting> kept;
  std::vector<Call> refused;
  for (Waiting& entry : std::exchange(waiting_, {})) {
    if (entry.needs == Needs::leading || entry.needs == Needs::settled) {
      refused.push_back(std::move(entry.call));
    } else {
      kept.push_back(std::move(entry));
    }
  }
  waiting_ = std::move(kept);
  for (Call& call : refused) call(status);
}

void ReadQueue::wake() {
  std::deque<Waiting> all = std::exchange(waiting_, {});
  std::deque<Waiting> kept;
  for (Waiting& entry : all) {
    // Asked for each: an earlier call may have changed what is met.
    if (Status status = refusal(entry.needs); !status.ok()) {
      entry.call(std::move(status));
    } else if (ready(entry)) {
      const Instant now = state_.environment.now();
      if (entry.needs == Needs::linearizable) state_.observer.on_read_fenced(now - entry.since);
      state_.times = {.asked = entry.since, .settled = now};
      entry.call({});
      state_.times = {};
    } else if (status = hopeless(entry.needs); !status.ok()) {
      entry.call(std::move(status));
    } else {
      kept.push_back(std::move(entry));
    }
  }
  // Calls that arrived meanwhile are younger.
  for (Waiting& entry : waiting_) kept.push_back(std::move(entry));
  waiting_ = std::move(kept);
}

void ReadQueue::close(const Status& status) {
  closed_ = status;
  sweep_timer_.reset();
  std::deque<Waiting> all = std::exchange(waiting_, {});
  for (Waiting& entry : all) entry.call(status);
}

void ReadQueue::arm_sweep() {
  if (sweep_timer_ != nullptr || !closed_.ok()) return;
  sweep_timer_ = state_.environment.after(read_sweep_interval, [this] { sweep(); });
}

void ReadQueue::sweep() {
  sweep_timer_.reset();
  if (!bound().ok() || !state_.log.reachable()) wake();
  const Patience patience = host_.read_patience();
  const Instant now = state_.environment.now();
  std::deque<Waiting> late;
  while (!waiting_.empty() && now - waiting_.front().since >= patience.limit) {
    late.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  for (Waiting& entry : late) entry.call(patience.error);
  if (!waiting_.empty()) arm_sweep();
}

}  // namespace lattice::replica
