// Whose work a loop does next while several tenants want it. Each connection's input and output,
// and each piece of a long answer, is work of its tenant's flow. While one flow alone is active,
// nobody asks here: work is done as it comes. From the second one on it queues, and at the end of
// each turn the flows are served by deficit round robin over measured time: a flow earns its part
// of the turn's budget, by weight, spends what its work took, and waits while it owes. So turns
// stay short, and who asks for little is served first, however much others ask.
//
// Within a flow it is weighted fair queueing by account, which is a connection: pieces go in the
// order in which they would end if all accounts of the flow that want something were served bit by
// bit at once, taking each to be as long as the account's were before. Who has used more than its
// part waits behind those who used less. Connections that are new to a tenant have one account
// together for a while, so that a flood of them gets no more than one connection does. A flow alone
// queues as soon as its accounts are *uneven*: some use much of the loop, others want little.
//
// What waits is the readiness of a socket, not a request: a tenant that is ahead of its share is
// slowed down by its own TCP windows, and nothing is refused here (docs/decisions/0016).
//
// Thread: the loop's. Time comes from outside, so that tests run on their own clock.
// Ownership: keeps the flows that are active; waiters leave the queue before they die, and their
//   account may go then.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/time.h"
#include "proxy/work_clock.h"

namespace lattice::proxy {

class FairFlow;
class FairShares;
class FairWaiter;

// What one connection has used of its flow's time, or all that are new.
class FairAccount {
 private:
  friend class FairShares;

  Duration used_until_{};  // on the flow's virtual clock; its next piece begins there
  Duration expected_ = std::chrono::microseconds(100);  // of that piece
  // Where it was last measured.
  const FairFlow* measured_in_ = nullptr;  // may be dead, is only compared
  uint64_t window_ = 0;
  size_t place_ = 0;
};

struct FairOrder {
  bool operator()(const FairWaiter* a, const FairWaiter* b) const;
};

// One tenant at one loop.
class FairFlow {
 public:
  using Count = std::atomic<int64_t>;
  // `connections`: of the tenant at all loops; null: nobody counts.
  explicit FairFlow(std::shared_ptr<Count> connections = nullptr)
      : connections_(std::move(connections)) {}
  // The weight is in force from the flow's next activity on. `connections_max` 0: no limit.
  // Requires: weight > 0.
  void set_limits(int64_t weight, int64_t connections_max) {
    weight_ = weight;
    connections_max_ = connections_max;
  }
  // One more connection is the tenant's; false: it may have no more.
  bool take_connection();
  void leave_connection() {
    if (connections_ != nullptr) connections_->fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  friend class FairShares;

  // What its accounts use in a while, to see whether that is uneven.
  struct Window {
    uint64_t number = 0;  // 0: none is open
    Instant since;
    Duration all{};
    std::vector<Duration> used;  // by account
  };

  const std::shared_ptr<Count> connections_;
  int64_t connections_max_ = 0;
  int64_t weight_ = 1;
  int64_t counted_weight_ = 0;  // of what active flows have together; 0: not active
  Duration credit_{};           // negative: it owes
  int64_t turn_ = 0;            // up to which it has earned
  Instant seen_;
  std::set<FairWaiter*, FairOrder> queue_;
  uint64_t enqueued_ = 0;
  // Virtual time: goes by as fast as each of those who wait would be served if all were at once.
  Duration clock_{};
  FairAccount newcomers_;
  const FairAccount* last_ = nullptr;  // that was asked about; may be dead, is only compared
  Instant several_at_;                 // more than one account wanted something
  Window window_;
  uint64_t windows_ = 0;
  Instant uneven_until_;
};

using SharedFlow = std::shared_ptr<FairFlow>;

// Something that does its work in pieces. Not destroyed within run().
class FairWaiter {
 public:
  virtual ~FairWaiter() = default;
  // Does about so much: bytes, or whatever it counts. False: there is no more for now.
  virtual bool run(size_t size) = 0;
  bool waits() const { return flow_ != nullptr; }
  FairAccount& account() { return *account_; }
  // Its work is that of a connection, whose account outlives the waiter.
  void pay_from(FairAccount& account) { account_ = &account; }

 private:
  friend class FairShares;
  friend struct FairOrder;

  FairAccount own_;
  FairAccount* account_ = &own_;
  FairFlow* flow_ = nullptr;  // in whose queue it is
  Duration start_{};          // of its piece, on the flow's clock, and
  Duration end_{};            // its end: its place in the queue
  uint64_t number_ = 0;       // among those that end together: who came first
  size_t piece_ = 4 << 10;    // what run() is given; follows what it took
};

inline bool FairOrder::operator()(const FairWaiter* a, const FairWaiter* b) const {
  return a->end_ != b->end_ ? a->end_ < b->end_ : a->number_ < b->number_;
}

class FairShares {
 public:
  // What all flows together may take of one turn: about as long waits whoever comes meanwhile. The
  // longer one, which gets more done, where all want all they can get (up to 2 ms then).
  static constexpr Duration turn_budget = std::chrono::microseconds(50);
  static constexpr Duration turn_budget_max = std::chrono::microseconds(400);
  // A flow counts as active for so long after it was seen.
  static constexpr Duration active_time = std::chrono::seconds(1);
  // For so long the accounts of a flow are measured before they are compared.
  static constexpr Duration window_time = std::chrono::milliseconds(50);
  // For so long a tenant's connection is a newcomer.
  static constexpr Duration newcomer_time = std::chrono::seconds(1);

  struct Surroundings {
    absl::AnyInvocable<Instant() const> now;
    absl::AnyInvocable<Duration() const> thread_time;
    // Each has run_turn() called: at the end of this turn of the loop, and in the next one.
    absl::AnyInvocable<void()> call_in_this_turn;
    absl::AnyInvocable<void()> call_in_next_turn;
  };
  explicit FairShares(Surroundings with)
      : work_clock_(std::move(with.now), std::move(with.thread_time)),
        call_in_this_turn_(std::move(with.call_in_this_turn)),
        call_in_next_turn_(std::move(with.call_in_next_turn)) {}

  // The flow has something to do. `now` may be the turn's.
  void note(const SharedFlow& flow, Instant now) {
    if (flow->seen_ != now) activate(flow, now);
  }
  // Whether several flows want the loop: what is long must be cut.
  bool contended() const { return active_.size() > 1; }
  // Whether what connections want must queue.
  bool shared() const { return contended() || uneven_; }
  // Whether what an account wants is to be measured although it need not queue: the flow has
  // others. Requires: the flow was noted in this turn.
  static bool measures(FairFlow& flow, const FairAccount& account) {
    if (std::exchange(flow.last_, &account) != &account) flow.several_at_ = flow.seen_;
    return flow.seen_ - flow.several_at_ < active_time;
  }
  void measured(FairFlow& flow, FairAccount& account, Duration took);
  // The connection is another flow's from now on. True: as a newcomer, until it is settled.
  static bool move(FairWaiter& connection, FairFlow& from, FairFlow& to);
  static void settle(FairWaiter& connection, const FairFlow& flow);
  // What part of the loop's time is a tenant's of such a weight; 1: nobody wants less than it does.
  double share_of(int64_t weight) const;
  Instant now() const { return work_clock_.now(); }
  // By which work is measured.
  WorkClock& work_clock() { return work_clock_; }

  // Requires: the flow was noted, and the waiter does not wait.
  void enqueue(FairWaiter& waiter, const SharedFlow& flow);
  // Nothing if it does not wait.
  void remove(FairWaiter& waiter);
  // For small work that need not queue: whether the flow has something to spend, and what it spent.
  bool affords(FairFlow& flow) const;
  static void charge(FairFlow& flow, Duration took) { flow.credit_ -= took; }
  void charge(FairFlow& flow, FairAccount& account, Duration took);
  void run_turn();

 private:
  void activate(const SharedFlow& flow, Instant now);
  void sweep(Instant now);
  static void open_window(FairFlow& flow);
  void close_window(FairFlow& flow);
  // In one turn.
  Duration earning(const FairFlow& flow) const;
  void earn(FairFlow& flow) const;
  // A turn goes by; if all that wait owe, as many as it takes until one does not.
  void pass_turns();
  void serve(const SharedFlow& flow, Duration& left);
  static Duration start_of(const FairWaiter& waiter, const FairFlow& flow);
  static void find_place(FairWaiter& waiter, const FairFlow& flow);
  static void hurry_last(FairFlow& flow);
  FairWaiter& take_first(FairFlow& flow);
  void leave(const FairFlow& flow);

  WorkClock work_clock_;
  absl::AnyInvocable<void()> call_in_this_turn_;
  absl::AnyInvocable<void()> call_in_next_turn_;
  std::vector<SharedFlow> active_;
  std::vector<SharedFlow> waiting_;  // those with a queue
  int64_t active_weight_ = 0;
  Duration budget_ = turn_budget;  // of this turn
  int64_t turn_ = 0;
  Instant swept_;
  bool called_ = false;  // run_turn() will be
  bool uneven_ = false;  // a flow is
};

}  // namespace lattice::proxy
