#include "replica/log_reader.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <string>
#include <utility>

#include "base/planted.h"

namespace lattice::replica {
namespace {

constexpr Duration report_interval = std::chrono::seconds(1);

Status corrupt(const char* what, Seq seq) {
  return {Error::backend_corrupt, std::string(what) + " at batch " + std::to_string(seq.value)};
}

// Whether its leader may have appended another batch before it knew of this one. What was deleted
// since was known by then.
bool may_be_followed(const Log::LoadedBatch& batch) {
  return batch.records.size() == batch.header->record_count &&
         std::all_of(batch.records.begin(), batch.records.end(),
                     [](const keyspace::Record& record) { return changes_key(record.kind); });
}

bool same_leader(const BatchHeader& a, const BatchHeader& b) {
  return a.epoch == b.epoch && a.incarnation == b.incarnation;
}

}  // namespace

void LogReader::read(Done done) {
  done_ = std::move(done);
  status_ = {};
  if (!loaded_) {
    started_ = reported_ = state_.environment.now();
    progress_ = {};
    progress_.revision = state_.keyspace.visible_revision();
  }
  state_.log.load(tip_.seq, lifetime_.guard([this, began = restarts_](Log::LoadedBatch batch) {
    if (began == restarts_) receive(std::move(batch));
  }),
                  lifetime_.guard([this, began = restarts_](Status status) {
                    if (began == restarts_) finish(std::move(status));
                  }));
}

void LogReader::receive(Log::LoadedBatch batch) {
  if (!status_.ok()) return;
  progress_.batches += 1;
  progress_.records += batch.records.size();
  for (const keyspace::Record& record : batch.records) {
    progress_.revision = std::max(progress_.revision, record.revision);
  }
  if (batch.header) progress_.revision = std::max(progress_.revision, batch.header->last_revision);
  if (!loaded_ && state_.environment.now() - reported_ >= report_interval) report(false);
  status_ = check(batch);
  if (status_.ok()) take(std::move(batch));
}

// What is read ahead of what may be shown.
void LogReader::take(Log::LoadedBatch batch) {
  for (const keyspace::Record& record : batch.records) {
    if (record.kind == keyspace::RecordKind::compact) {
      compact_ = state_.compact_read = batch.seq;
    }
    if (record.kind == keyspace::RecordKind::compact_done) done_seq_ = batch.seq;
    if (record.kind == keyspace::RecordKind::seal) seal_ = find_seal(batch.records);
    if (record.kind == keyspace::RecordKind::takeover) {
      server_ = {static_cast<uint64_t>(record.lease.value), static_cast<uint64_t>(record.version)};
    }
  }
  // What this batch's leader knew to be committed is applied (docs/decisions/0004). A trimmed
  // header lies behind a finished compaction: durable and announced long ago.
  size_t held_back = 0;
  if (batch.header) {
    const bool goes_on = !ahead_.empty() && ahead_.back().header &&
                         same_leader(*ahead_.back().header, *batch.header);
    if (!goes_on) {
      held_back = ahead_.size();
    } else if (may_be_followed(ahead_.back())) {
      held_back = appends_in_flight_max - 1;
    }
  }
  if (batch.header) {
    tip_ = *batch.header;
  } else {
    tip_ = {};
    tip_.seq = batch.seq;
  }
  if (ahead_.size() > held_back) {
    status_ = apply_until(ahead_[ahead_.size() - held_back - 1].seq);
  }
  ahead_.push_back(std::move(batch));
  if (planted(Planted::read_ahead_released)) status_ = apply_until(tip_.seq);
  if (status_.ok()) status_ = apply_announced(announced_);
}

bool LogReader::follows_tip(const BatchHeader& header) const {
  if (seal_) return false;
  if (planted(Planted::fanout_out_of_order)) return true;
  if (planted(Planted::fanout_unverified)) return header.seq > tip_.seq;
  if (planted(Planted::fanout_digest_ignored)) return header.seq == tip_.seq + 1;
  return header.seq == tip_.seq + 1 && header.previous == tip_.digest;
}

bool LogReader::offer(Batch batch) {
  const BatchHeader& header = batch.header;
  if (!follows_tip(header)) return false;
  if (compute_digest(state_.log.id(), header, batch.records) != header.digest &&
      !planted(Planted::fanout_unverified)) {
    return false;
  }
  Log::LoadedBatch loaded;
  loaded.header = header;
  loaded.seq = header.seq;
  loaded.indexes.resize(batch.records.size());
  std::iota(loaded.indexes.begin(), loaded.indexes.end(), 0);
  loaded.records = std::move(batch.records);
  take(std::move(loaded));
  return true;
}

Status LogReader::release(const Position& announced) {
  if (!status_.ok()) return status_;
  if (announced.seq <= state_.applied.seq) return {};
  // A lower one is late, or follows a history that was longer, and lost (H3): it counts as well.
  if (announced.seq >= announced_.seq) announced_ = announced;
  return apply_announced(announced);
}

Status LogReader::apply_announced(const Position& announced) {
  if (announced.seq <= state_.applied.seq || announced.seq > tip_.seq) return {};
  const auto at = std::find_if(ahead_.begin(), ahead_.end(), [&announced](const auto& batch) {
    return batch.seq == announced.seq && batch.header;
  });
  // What was read ahead is another history than the announced one. The log will tell.
  if (at == ahead_.end() || at->header->digest != announced.digest) return {};
  return apply_until(announced.seq);
}

Status LogReader::check(const Log::LoadedBatch& batch) {
  if (batch.seq <= tip_.seq) return corrupt("batches out of order", batch.seq);
  if (seal_) return corrupt("the log goes on behind its seal", batch.seq);
  const bool follows = batch.seq == tip_.seq + 1;
  const bool known_tip = tip_.seq == Seq(0) || tip_.record_count > 0;
  bool whole = false;
  if (batch.header) {
    const BatchHeader& header = *batch.header;
    if (header.seq != batch.seq) return corrupt("a header of another batch", batch.seq);
    const bool fits = header.previous == tip_.digest || planted(Planted::chain_not_checked);
    if (follows && known_tip && !fits) {
      return corrupt("the chain is broken", batch.seq);
    }
    whole = batch.records.size() == header.record_count;
    if (whole && compute_digest(state_.log.id(), header, batch.records) != header.digest &&
        !planted(Planted::chain_not_checked)) {
      return corrupt("the digest does not fit the records", batch.seq);
    }
  }
  if (follows && whole) return {};
  if (loaded_ && planted(Planted::trimmed_not_noticed)) return {};
  if (loaded_) return Error::compacted;
  hole_ = whole ? batch.seq - 1 : batch.seq;
  return {};
}

// Compaction alone makes holes, and only below the batch that announced it.
Status LogReader::check_holes() const {
  if (hole_ != Seq(0) && hole_ >= compact_) return corrupt("records are missing", hole_);
  return {};
}

void LogReader::finish(Status status) {
  if (status_.ok()) status_ = std::move(status);
  if (status_.ok() && !loaded_) {
    status_ = check_holes();
    loaded_ = status_.ok();
    report(true);
  }
  auto done = std::exchange(done_, nullptr);
  done(std::exchange(status_, {}));
}

Status LogReader::apply_until(Seq last) {
  if (ahead_.empty() || ahead_.front().seq > last) return {};
  while (!ahead_.empty() && ahead_.front().seq <= last) {
    const Log::LoadedBatch batch = std::move(ahead_.front());
    ahead_.pop_front();
    if (Status status = state_.replay(batch); !status.ok()) return status;
  }
  on_applied_();
  return {};
}

Status LogReader::apply_all() { return apply_until(tip_.seq); }

void LogReader::restart() {
  ++restarts_;
  done_ = nullptr;
  state_.reset();
  ahead_.clear();
  server_ = {};
  seal_.reset();
  announced_ = {};
  tip_ = {};
  hole_ = {};
  compact_ = {};
  done_seq_ = {};
  loaded_ = false;
  status_ = {};
}

void LogReader::report(bool done) {
  const Instant now = state_.environment.now();
  reported_ = now;
  progress_.elapsed = now - started_;
  progress_.done = done;
  state_.observer.on_load(progress_);
}

}  // namespace lattice::replica
