#include "proxy/fair_shares.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace lattice::proxy {
namespace {

constexpr Duration sweep_interval = std::chrono::milliseconds(100);
// Of a turn where every tenant wants all it can get, and no tenant's connections are uneven.
constexpr Duration longest_turn_budget = std::chrono::milliseconds(2);
constexpr size_t piece_min = 512;
constexpr size_t piece_max = 64 << 10;
// Uneven is a flow that takes more than one part in so many of the loop's time, while one of its
// accounts uses less than one part in so many of what they use on average.
constexpr int64_t busy_part = 8;
constexpr int64_t modest_part = 4;
// However much an account has used, so much later its turn comes at most. Also where a connection
// carries requests of several tenants, whose clocks differ.
constexpr Duration put_off_max = std::chrono::seconds(1);

// The more of them wait, the more slowly the flow's clock goes by.
Duration latest_place(Duration clock, size_t others) {
  return clock + put_off_max / (static_cast<int64_t>(others) + 1);
}

// Nobody saves more than a whole long turn.
Duration savings_max(Duration budget) { return std::max(budget, FairShares::turn_budget_max); }

}  // namespace

bool FairFlow::take_connection() {
  if (connections_ == nullptr) return true;
  const int64_t before = connections_->fetch_add(1, std::memory_order_relaxed);
  if (before < connections_max_ || connections_max_ == 0) return true;
  leave_connection();
  return false;
}

// Connections that are nobody's yet must not make a tenant that is alone work in smaller pieces.
double FairShares::share_of(int64_t weight) const {
  int64_t tenants = 0;
  int64_t all = 0;
  for (const SharedFlow& flow : active_) {
    if (flow->connections_ == nullptr) continue;
    ++tenants;
    all += flow->counted_weight_;
  }
  // In long turns nobody is there who would gain by short work.
  if (tenants <= 1 || budget_ > turn_budget) return 1;
  return static_cast<double>(weight) / static_cast<double>(std::max(all, weight));
}

void FairShares::activate(const SharedFlow& flow, Instant now) {
  flow->seen_ = now;
  if (flow->counted_weight_ == 0) {
    active_.push_back(flow);
    // Who comes has saved as much as anybody can, whatever was owed before.
    flow->credit_ = savings_max(budget_);
    flow->turn_ = turn_;
  }
  active_weight_ += flow->weight_ - std::exchange(flow->counted_weight_, flow->weight_);
  if (now - swept_ >= sweep_interval) sweep(now);
}

void FairShares::sweep(Instant now) {
  swept_ = now;
  std::erase_if(active_, [&](const SharedFlow& flow) {
    if (now - flow->seen_ < active_time || !flow->queue_.empty()) return false;
    active_weight_ -= std::exchange(flow->counted_weight_, 0);
    flow->window_ = {};
    return true;
  });
  uneven_ = std::ranges::any_of(
      active_, [now](const SharedFlow& flow) { return now < flow->uneven_until_; });
}

// ---- Accounts of one flow ----

void FairShares::measured(FairFlow& flow, FairAccount& account, Duration took) {
  FairFlow::Window& window = flow.window_;
  if (window.number == 0) open_window(flow);
  const bool known = account.measured_in_ == &flow && account.window_ == window.number &&
                     account.place_ < window.used.size();
  if (!known) {
    account.measured_in_ = &flow;
    account.window_ = window.number;
    account.place_ = window.used.size();
    window.used.emplace_back();
  }
  window.used[account.place_] += took;
  window.all += took;
  if (flow.seen_ - window.since >= window_time) close_window(flow);
}

void FairShares::open_window(FairFlow& flow) {
  flow.window_.number = ++flow.windows_;
  flow.window_.since = flow.seen_;
  flow.window_.all = {};
  flow.window_.used.clear();
}

void FairShares::close_window(FairFlow& flow) {
  const FairFlow::Window& window = flow.window_;
  const bool busy = window.all * busy_part > flow.seen_ - window.since;
  const Duration modest = window.all / static_cast<int64_t>(window.used.size()) / modest_part;
  if (busy && std::ranges::min(window.used) < modest) {
    flow.uneven_until_ = flow.seen_ + active_time;
    uneven_ = true;
  }
  open_window(flow);
}

bool FairShares::move(FairWaiter& connection, FairFlow& from, FairFlow& to) {
  if (from.connections_ == nullptr || connection.account_ == &from.newcomers_) {
    connection.account_ = &to.newcomers_;
    return true;
  }
  FairAccount& account = *connection.account_;
  account.used_until_ = to.clock_ + std::max(account.used_until_ - from.clock_, Duration{});
  return false;
}

void FairShares::settle(FairWaiter& connection, const FairFlow& flow) {
  connection.account_ = &connection.own_;
  connection.own_ = {};
  connection.own_.used_until_ = flow.clock_;
}

void FairShares::charge(FairFlow& flow, FairAccount& account, Duration took) {
  charge(flow, took);
  account.used_until_ = std::max(account.used_until_, flow.clock_) + took;
  measured(flow, account, took);
}

Duration FairShares::start_of(const FairWaiter& waiter, const FairFlow& flow) {
  return std::clamp(waiter.account_->used_until_, flow.clock_,
                    latest_place(flow.clock_, flow.queue_.size()));
}

void FairShares::find_place(FairWaiter& waiter, const FairFlow& flow) {
  waiter.start_ = start_of(waiter, flow);
  // What is beyond that is forgiven. Nothing is used by waiting: an account's pieces would else put
  // each other off, none ever done.
  waiter.account_->used_until_ = std::min(waiter.account_->used_until_, waiter.start_);
  waiter.end_ = std::min(waiter.start_ + waiter.account_->expected_,
                         latest_place(flow.clock_, flow.queue_.size()));
}

// ---- Flows ----

Duration FairShares::earning(const FairFlow& flow) const {
  const int64_t weight = std::max<int64_t>(flow.counted_weight_, 1);
  return Duration(
      std::max<int64_t>(budget_.count() * weight / std::max(active_weight_, weight), 1));
}

void FairShares::earn(FairFlow& flow) const {
  const Duration each = earning(flow);
  const int64_t turns = turn_ - std::exchange(flow.turn_, turn_);
  const Duration full = savings_max(budget_);
  const int64_t to_full = (full - flow.credit_) / each;
  flow.credit_ = turns > to_full ? full : flow.credit_ + each * turns;
}

void FairShares::enqueue(FairWaiter& waiter, const SharedFlow& flow) {
  waiter.flow_ = flow.get();
  if (flow->queue_.empty()) waiting_.push_back(flow);
  waiter.number_ = ++flow->enqueued_;
  find_place(waiter, *flow);
  flow->queue_.insert(&waiter);
  hurry_last(*flow);
  if (!std::exchange(called_, true)) call_in_this_turn_();
}

// The more there are, the more slowly the clock goes by, also for those who found their places
// before the others came: without this a connection among 64 was not read for ten seconds. One at a
// time: others are hurried by those who come next.
void FairShares::hurry_last(FairFlow& flow) {
  const auto last = std::prev(flow.queue_.end());
  if ((*last)->end_ <= latest_place(flow.clock_, flow.queue_.size() - 1)) return;
  auto node = flow.queue_.extract(last);
  find_place(*node.value(), flow);
  flow.queue_.insert(std::move(node));
}

void FairShares::remove(FairWaiter& waiter) {
  FairFlow* const flow = std::exchange(waiter.flow_, nullptr);
  if (flow == nullptr) return;
  flow->queue_.erase(&waiter);
  if (flow->queue_.empty()) leave(*flow);
}

void FairShares::leave(const FairFlow& flow) {
  std::erase_if(waiting_, [&flow](const SharedFlow& each) { return each.get() == &flow; });
}

FairWaiter& FairShares::take_first(FairFlow& flow) {
  auto next = flow.queue_.extract(flow.queue_.begin());
  // Others of its account may have used time since it came.
  const auto used_more = [&flow](const FairWaiter& waiter) {
    return std::min(waiter.account_->used_until_, latest_place(flow.clock_, flow.queue_.size())) >
           waiter.start_;
  };
  while (used_more(*next.value())) {
    find_place(*next.value(), flow);
    flow.queue_.insert(std::move(next));
    next = flow.queue_.extract(flow.queue_.begin());
  }
  FairWaiter& first = *next.value();
  first.flow_ = nullptr;
  if (flow.queue_.empty()) leave(flow);
  return first;
}

// Only who has saved nearly all that can be saved: sixteen connections of one tenant, each with a
// little to send, would else make a turn by themselves.
bool FairShares::affords(FairFlow& flow) const {
  earn(flow);
  return flow.credit_ > savings_max(budget_) - turn_budget;
}

void FairShares::pass_turns() {
  int64_t turns = std::numeric_limits<int64_t>::max();
  for (const SharedFlow& flow : waiting_) {
    earn(*flow);
    turns = std::min(turns, 1 + std::max(Duration{}, -flow->credit_) / earning(*flow));
  }
  turn_ += turns;
}

// Turns are long, and work is not cut, while no tenant has saved time for lack of work: there is
// nobody whom that could keep waiting. What is left of a turn because others' pieces took longer is
// less than half of what can be saved. Connections that are nobody's yet count while they wait.
void FairShares::run_turn() {
  called_ = false;
  if (waiting_.empty()) return;
  called_ = true;  // what comes meanwhile waits for the next one
  const auto has_saved = [this](const SharedFlow& flow) {
    earn(*flow);
    return flow->credit_ > savings_max(budget_) / 2;
  };
  const auto wants_little = [&has_saved](const SharedFlow& flow) {
    return (flow->connections_ != nullptr || !flow->queue_.empty()) && has_saved(flow);
  };
  Duration budget = turn_budget;
  if (std::ranges::none_of(active_, wants_little)) {
    // A tenant alone queues for the sake of its connections. Those of several that wait long for
    // their answers may seem to want little within a window.
    if (contended() || !uneven_) budget = turn_budget_max;
    if (contended() && !uneven_) budget = longest_turn_budget;
  }
  if (budget < budget_) {
    for (const SharedFlow& flow : active_) {
      if (!has_saved(flow)) flow->credit_ = std::min(flow->credit_, Duration{});
    }
  }
  budget_ = budget;
  pass_turns();
  for (const SharedFlow& flow : waiting_) earn(*flow);
  // Who has used less of what was earned comes first.
  std::vector<SharedFlow> order = waiting_;
  std::ranges::stable_sort(
      order, [](const SharedFlow& a, const SharedFlow& b) { return a->credit_ > b->credit_; });
  Duration left = budget_;
  for (const SharedFlow& flow : order) serve(flow, left);
  called_ = !waiting_.empty();
  if (called_) call_in_next_turn_();
}

void FairShares::serve(const SharedFlow& flow, Duration& left) {
  const Duration fair = earning(*flow);
  while (!flow->queue_.empty() && flow->credit_ > Duration{} && left > Duration{}) {
    FairWaiter& waiter = take_first(*flow);
    FairAccount& account = *waiter.account_;  // outlives the piece, as its connection does
    const Duration begins = waiter.start_;
    account.used_until_ = begins;
    const auto others = static_cast<int64_t>(flow->queue_.size());
    const Instant start = work_clock_.start();
    const bool more = waiter.run(waiter.piece_);
    const Duration took = work_clock_.since(start);
    flow->credit_ -= took;
    left -= took;
    flow->clock_ = std::max(flow->clock_ + took / (others + 1), begins);
    // Even if run() has moved it to another flow.
    account.used_until_ += took;
    account.expected_ = (account.expected_ + took) / 2;
    measured(*flow, account, took);
    if (took > fair) waiter.piece_ = std::max(waiter.piece_ / 2, piece_min);
    if (more && took < fair / 4) waiter.piece_ = std::min(waiter.piece_ * 2, piece_max);
    if (more && !waiter.waits()) enqueue(waiter, flow);
  }
}

}  // namespace lattice::proxy
