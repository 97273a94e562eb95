#include "replica/compactor.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "base/planted.h"

namespace lattice::replica {
namespace {
constexpr Duration retry_interval = std::chrono::milliseconds(200);
// Between two steps of a sweep, so that the loop serves others; batches step in between as well.
constexpr Duration step_interval = std::chrono::milliseconds(1);
}  // namespace

void Compactor::compact(Revision revision, Sender sender, Callback<Revision> done) {
  writes_.add(CompactOperation{{revision}, std::move(done), {}}, std::move(sender));
}

Callback<Revision> Compactor::when_finished(Revision revision, Callback<Revision> done) {
  return [this, revision, done = std::move(done)](Result<Revision> result) mutable {
    if (!result.ok() || finished(revision)) return done(std::move(result));
    if (!closed_.ok()) return done(closed_);
    waiters_.push_back({revision, std::move(done)});
  };
}

bool Compactor::finished(Revision revision) const {
  return state_.compaction.done && state_.compaction.revision >= revision && swept_ &&
         sweep_ == state_.compaction.revision;
}

void Compactor::tell_finished() {
  std::vector<Waiter> ready;
  std::erase_if(waiters_, [&](Waiter& waiter) {
    if (!finished(waiter.revision)) return false;
    ready.push_back(std::move(waiter));
    return true;
  });
  for (Waiter& waiter : ready) waiter.done(state_.keyspace.visible_revision());
}

Status Compactor::verify_loaded() {
  if (!state_.compaction.done || state_.compaction.revision == Revision(-1)) return {};
  if (state_.compaction.seq < state_.compact_read) return {};
  begin_sweep();
  keyspace::Keyspace::CompactStep step;
  while (!step.done) step = state_.keyspace.compact_step(100'000, &dropped_);
  return end_sweep(step.hash);
}

bool Compactor::sweeping() const {
  return !swept_ && sweep_ == state_.compaction.revision && (leading_ || state_.compaction.done);
}

void Compactor::wake(bool leading) {
  leading_ = leading;
  tell_finished();
  // A newer compaction is about to be applied, and its deletions may have begun.
  if (state_.compaction.seq < state_.compact_read) return;
  if (sweep_ != state_.compaction.revision && (leading_ || state_.compaction.done)) begin_sweep();
  if (sweeping()) return arm();
  // Swept when this replica led before: the log's part is still to be done, or another has done it.
  if (leading_) return remove_next();
  if (state_.compaction.done) forget_dropped();
}

void Compactor::forget_dropped() {
  dropped_.clear();
  next_ = 0;
  ++forgotten_;
}

void Compactor::begin_sweep() {
  if (!swept_) state_.observer.on_rare("a compaction overtook another");
  sweep_ = state_.compaction.revision;
  swept_ = false;
}

void Compactor::arm() {
  if (timer_ == nullptr) timer_ = state_.environment.after(step_interval, [this] { tick(); });
}

void Compactor::tick() {
  timer_.reset();
  if (!sweeping()) return;
  if (writes_.quiet()) step();
  if (sweeping()) arm();
}

void Compactor::step() {
  const size_t waiting = dropped_.size() - next_;
  if (waiting > 10 * state_.options.compact_removals_per_call) return;
  const auto result = state_.keyspace.compact_step(state_.options.compact_keys_per_step, &dropped_);
  if (!leading_) forget_dropped();
  if (!result.done) return remove_next();
  if (Status status = end_sweep(result.hash); !status.ok()) return on_failed_(status);
  remove_next();
  tell_finished();
}

Status Compactor::end_sweep(uint32_t hash) {
  swept_ = true;
  hash_ = hash;
  if (state_.compaction.done) {
    if (hash != state_.compaction.hash) {
      return {Error::backend_corrupt, "the survivors of the compaction at " +
                                          std::to_string(sweep_.value) + " have the hash " +
                                          std::to_string(hash) + " and not " +
                                          std::to_string(state_.compaction.hash)};
    }
    if (!leading_) {
      forget_dropped();
      state_.minor.drop_superseded(state_.compaction.seq);
    }
    return {};
  }
  const auto minor = state_.minor.superseded(state_.compaction.seq);
  dropped_.insert(dropped_.end(), minor.begin(), minor.end());
  return {};
}

void Compactor::remove_next() {
  if (!leading_ || removing_ || announcing_) return;
  if (next_ == dropped_.size()) {
    forget_dropped();
    if (swept_ && !state_.compaction.done) announce();
    return;
  }
  if (planted(Planted::deleted_newest_first) && next_ == 0) std::ranges::reverse(dropped_);
  // In the order of the sweep: the log can be loaded after any prefix of these deletions.
  const size_t count = std::min(dropped_.size() - next_, state_.options.compact_removals_per_call);
  const auto first = dropped_.begin() + static_cast<ptrdiff_t>(next_);
  removing_ = true;
  state_.log.remove({first, first + static_cast<ptrdiff_t>(count)},
                    lifetime_.guard([this, count, list = forgotten_](const Status& status) {
                      removing_ = false;
                      if (!leading_) return;
                      // It was another list, of the time before this replica lost the lead.
                      if (list != forgotten_) return remove_next();
                      if (!status.ok()) {
                        state_.observer.on_rare("a deletion failed");
                        retry_timer_ =
                            state_.environment.after(retry_interval, [this] { remove_next(); });
                        return;
                      }
                      next_ += count;
                      remove_next();
                    }));
}

void Compactor::announce() {
  if (!leading_ || announcing_ || sweep_ != state_.compaction.revision) return;
  announcing_ = true;
  auto done = [this](const Result<Revision>& result) {
    announcing_ = false;
    if (!leading_) return;
    if (result.ok() && state_.compaction.done) return on_announced();
    retry_timer_ = state_.environment.after(retry_interval, [this] { wake(leading_); });
  };
  writes_.add_internal(CompactDoneOperation{{sweep_, hash_}, std::move(done), {}});
}

void Compactor::on_announced() {
  const Revision revision = state_.compaction.revision;
  state_.minor.drop_superseded(state_.compaction.seq);
  state_.observer.on_compacted(revision);
  // A failure costs some rows until the next compaction.
  state_.log.trim(state_.compaction.seq, [](const Status&) {});
}

void Compactor::reset() {
  sweep_ = Revision(-1);
  swept_ = true;
  forget_dropped();
}

void Compactor::on_stepped_down() {
  leading_ = false;
  timer_.reset();
  retry_timer_.reset();
  // What is swept and not deleted is kept: this replica may lead again before another has deleted
  // it.
}

void Compactor::close(const Status& status) {
  closed_ = status;
  for (Waiter& waiter : std::exchange(waiters_, {})) waiter.done(status);
}

}  // namespace lattice::replica
