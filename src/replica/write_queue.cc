#include "replica/write_queue.h"

#include <chrono>
#include <cstddef>
#include <utility>

namespace lattice::replica {
namespace {
constexpr Duration sweep_interval = std::chrono::milliseconds(250);
}  // namespace

void WriteQueue::schedule() {
  if (scheduled_ || closed_ || in_flight() || waiting() == 0) return;
  scheduled_ = true;
  state_.environment.defer(lifetime_.guard([this] { begin_batch(); }));
}

void WriteQueue::begin_batch() {
  scheduled_ = false;
  if (closed_ || in_flight() || !host_.may_append()) return;
  host_.before_batch();
  if (waiting() == 0) return;
  evaluate_batch();
  if (evaluator_.records().empty()) {
    answer_without_append();
  } else {
    append_batch();
  }
}

void WriteQueue::evaluate_batch() {
  batch_ = std::move(spare_);
  evaluator_.begin(state_.applied.seq + 1);
  while (next_ < waiting_.size() &&
         evaluator_.records().size() < state_.options.batch_records_max &&
         evaluator_.bytes() < state_.options.batch_bytes_max) {
    batch_.push_back(std::move(waiting_[next_++]));
    evaluator_.evaluate(batch_.back());
  }
  if (next_ == waiting_.size()) {
    waiting_.clear();
    next_ = 0;
  } else if (next_ > state_.options.proposals_max) {
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(next_));
    next_ = 0;
  }
  state_.observer.on_pending(waiting() + batch_.size());
}

void WriteQueue::answer_without_append() {
  state_.rollback();
  // Nothing is in flight, so all that these operations saw is committed; what remains is the fence.
  if (!host_.can_linearize()) {
    state_.observer.on_rare("an operation without records waited for the fence");
    return put_back();
  }
  for (std::vector<Proposal> done = take_batch(); Proposal & proposal : done) proposal.answer();
  settle();
}

void WriteQueue::settle() {
  host_.on_settled();
  schedule();
}

void WriteQueue::append_batch() {
  auto batch = std::make_shared<Batch>();
  batch->records = evaluator_.take_records();
  BatchHeader& header = batch->header;
  header.seq = state_.applied.seq + 1;
  header.previous = state_.applied.digest;
  header.epoch = state_.epoch;
  header.incarnation = state_.leader;
  header.id = state_.random.batch_id();
  header.last_revision = state_.keyspace.staged_revision();
  header.record_count = static_cast<uint32_t>(batch->records.size());
  header.digest = compute_digest(state_.log.id(), header, batch->records);
  submitted_ = state_.environment.now();
  const Batch& content = *batch;  // kept alive by the callback
  resolver_.append(batch,
                   [this, batch, &content](AppendResolver::Verdict verdict, const Status& detail) {
                     on_verdict(content, verdict, detail);
                   });
}

void WriteQueue::on_verdict(const Batch& batch, AppendResolver::Verdict verdict,
                            const Status& detail) {
  if (verdict == AppendResolver::Verdict::committed) return on_committed(batch);
  state_.rollback();
  if (closed_) return;
  switch (verdict) {
    case AppendResolver::Verdict::refused:
      state_.observer.on_proposal_failed();
      for (std::vector<Proposal> done = take_batch(); Proposal & proposal : done) {
        proposal.refuse(Error::no_space);
      }
      return settle();
    case AppendResolver::Verdict::rejected:
      state_.observer.on_rare("a batch was rejected");
      rejected_ = true;
      return host_.on_rejected();
    default:
      // Whether the batch ever landed cannot be told any more; its callers learn only that.
      state_.observer.on_proposal_failed();
      for (std::vector<Proposal> done = take_batch(); Proposal & proposal : done) {
        proposal.refuse(Error::timeout);
      }
      return host_.on_lost(detail);
  }
}

void WriteQueue::on_committed(const Batch& batch) {
  state_.commit(batch);
  state_.observer.on_append_committed(
      {batch_.size(), batch.records.size(), state_.environment.now() - submitted_});
  std::vector<Proposal> done = take_batch();
  host_.on_committed(batch);
  for (Proposal& proposal : done) proposal.answer();
  done.clear();
  if (spare_.capacity() < done.capacity()) spare_ = std::move(done);
  settle();
}

std::vector<Proposal> WriteQueue::take_batch() {
  rejected_ = false;
  return std::exchange(batch_, {});
}

void WriteQueue::resume() {
  if (!rejected_) return;
  put_back();
  schedule();
}

void WriteQueue::put_back() {
  std::vector<Proposal> all = take_batch();
  for (; next_ < waiting_.size(); ++next_) all.push_back(std::move(waiting_[next_]));
  waiting_ = std::move(all);
  next_ = 0;
}

void WriteQueue::abandon(const Status& status) {
  if (!rejected_) return;
  for (std::vector<Proposal> done = take_batch(); Proposal & proposal : done) {
    proposal.refuse(status);
  }
  settle();
}

void WriteQueue::close(const Status& status) {
  closed_ = true;
  sweep_timer_.reset();
  // The batch in flight stays: its evaluation is referred to until the resolver answers.
  for (Proposal& proposal : batch_) proposal.refuse(status);
  for (; next_ < waiting_.size(); ++next_) waiting_[next_].refuse(status);
}

void WriteQueue::arm_sweep() {
  if (sweep_timer_ != nullptr || closed_) return;
  sweep_timer_ = state_.environment.after(sweep_interval, [this] { sweep(); });
}

void WriteQueue::sweep() {
  sweep_timer_.reset();
  const Instant now = state_.environment.now();
  std::vector<std::pair<Proposal, Error>> late;
  const bool leads = host_.may_append();
  const Patience patience =
      leads ? Patience{state_.options.request_timeout, Error::timeout} : host_.patience();
  while (next_ < waiting_.size() && now - waiting_[next_].since >= patience.limit) {
    late.emplace_back(std::move(waiting_[next_++]), patience.error);
  }
  // Those in the batch may have landed: they are told so while the batch goes on being resolved.
  std::vector<Proposal*> uncertain;
  for (Proposal& proposal : batch_) {
    if (now - proposal.since >= state_.options.request_timeout) uncertain.push_back(&proposal);
  }
  if (!uncertain.empty()) state_.observer.on_rare("a batch in flight outlived its callers");
  for (Proposal* proposal : uncertain) proposal->refuse(Error::timeout);
  for (auto& [proposal, error] : late) proposal.refuse(error);
  if (waiting() > 0 || in_flight()) arm_sweep();
}

}  // namespace lattice::replica
