#include "replica/auto_compactor.h"

#include <algorithm>
#include <chrono>

namespace lattice::replica {
namespace {
constexpr Duration revision_interval = std::chrono::minutes(5);
constexpr Duration compact_interval_max = std::chrono::hours(1);
constexpr int samples_per_interval = 10;
}  // namespace

Duration AutoCompactor::interval() const {
  if (state_.options.auto_compaction == AutoCompaction::revision) return revision_interval;
  return std::min(state_.options.auto_compaction_period, compact_interval_max) /
         samples_per_interval;
}

void AutoCompactor::on_leading() {
  const Options& options = state_.options;
  const bool on = options.auto_compaction == AutoCompaction::periodic
                      ? options.auto_compaction_period.count() > 0
                      : options.auto_compaction == AutoCompaction::revision &&
                            options.auto_compaction_revisions > 0;
  if (!on) return;
  samples_.clear();
  last_ = state_.environment.now();
  compacted_ = Revision(0);
  arm();
}

void AutoCompactor::arm() {
  timer_ = state_.environment.after(interval(), [this] { tick(); });
}

void AutoCompactor::tick() {
  const Revision revision = due();
  if (revision > compacted_ && revision > state_.keyspace.compact_revision()) {
    // Failed, it is tried again at the next tick, as etcd does.
    compactor_.compact(revision, Origin::internal,
                       lifetime_.guard([this, revision](const Result<Revision>& result) {
                         if (!result.ok()) return;
                         compacted_ = revision;
                         last_ = state_.environment.now();
                       }));
  }
  arm();
}

Revision AutoCompactor::due() {
  if (state_.options.auto_compaction == AutoCompaction::periodic) return due_by_period();
  return state_.keyspace.visible_revision() - state_.options.auto_compaction_revisions;
}

Revision AutoCompactor::due_by_period() {
  const Duration period = state_.options.auto_compaction_period;
  const auto kept = static_cast<size_t>(period / interval());
  samples_.push_back(state_.keyspace.visible_revision());
  while (samples_.size() > kept + 1) samples_.pop_front();
  const bool whole_period = samples_.size() > kept;
  const bool its_time = state_.environment.now() - last_ >= std::min(period, compact_interval_max);
  return whole_period && its_time ? samples_.front() : Revision(0);
}

}  // namespace lattice::replica
