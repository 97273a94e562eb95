#include "replica/write_queue.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include "base/planted.h"

namespace lattice::replica {
namespace {
constexpr Duration write_sweep_interval = std::chrono::milliseconds(250);
constexpr size_t prefetched = 32;  // proposals whose keys are looked for together
// Of a batch whose tenant has the whole of a loop that is wanted by others, too: to build it and to
// tell its callers keeps them waiting, and so does its commit where they share a file.
constexpr double shared_batch_records = 256;
constexpr double shared_batch_bytes = 512 << 10;
constexpr size_t shared_batch_records_min = 16;
constexpr size_t shared_batch_bytes_min = 16 << 10;
// Where an append takes longer than this, so much longer may batches be: a tenth of what the
// database takes for them anyway.
constexpr std::chrono::duration<double> shared_batch_append_time = std::chrono::milliseconds(6);

// Counts what its scope takes as the tenant's work: a batch is built and its callers are told
// without waiting for a turn.
class Charged {
 public:
  explicit Charged(Environment& environment) : environment_(environment) {}
  ~Charged() { environment_.charge(environment_.now() - begun_); }
  Charged(const Charged&) = delete;
  Charged& operator=(const Charged&) = delete;

 private:
  Environment& environment_;
  const Instant begun_ = environment_.now();
};

// For planted bugs.
void answer_all(std::vector<Proposal>* proposals, std::optional<Origin> origin = std::nullopt) {
  for (Proposal& proposal : *proposals) {
    if (!origin || proposal.origin == *origin) proposal.answer();
  }
}
}  // namespace

bool WriteQueue::may_begin() const {
  if (closed_ || waiting() == 0 || !returned_.empty() || host_.distributing()) return false;
  return in_flight_.empty() || may_follow(in_flight_.back());
}

// A second batch is worth its commit only if it is about as large as the one before it. Clients
// that wait for their answers come in the same numbers again, so this splits them in two halves,
// one of which is at the database while the other one is told and asks anew.
bool WriteQueue::may_follow(const Flight& newest) const {
  return in_flight_.size() < appends_in_flight_max && newest.only_keys && !follows_nothing_ &&
         waiting() * 2 >= newest.proposals.size() && !host_.wants_quiet();
}

void WriteQueue::schedule() {
  if (scheduled_ || !may_begin()) return;
  scheduled_ = true;
  state_.environment.defer(lifetime_.guard([this] { begin_batch(); }));
}

void WriteQueue::begin_batch() {
  scheduled_ = false;
  if (!may_begin() || !host_.may_append()) return;
  const Charged charged(state_.environment);
  if (quiet()) host_.before_batch();
  std::vector<Proposal> proposals = evaluate_batch();
  if (!evaluator_.records().empty()) {
    append_batch(std::move(proposals));
  } else if (quiet() || planted(Planted::empty_not_awaited)) {
    answer_without_append(std::move(proposals));
  } else {
    // P8: they are answered, on what is there then, when nothing is in flight.
    follows_nothing_ = true;
    put_back(std::move(proposals));
  }
}

WriteQueue::BatchMax WriteQueue::batch_max() const {
  const Options& options = state_.options;
  const double share = state_.environment.share_of(state_.limits->weight);
  if (share >= 1) return {options.batch_records_max, options.batch_bytes_max};
  const double stretch = std::max(append_took_ / shared_batch_append_time, 1.0);
  const auto records = static_cast<size_t>(shared_batch_records * share * stretch);
  const auto bytes = static_cast<size_t>(shared_batch_bytes * share * stretch);
  return {std::min(std::max(records, shared_batch_records_min), options.batch_records_max),
          std::min(std::max(bytes, shared_batch_bytes_min), options.batch_bytes_max)};
}

std::vector<Proposal> WriteQueue::evaluate_batch() {
  std::vector<Proposal> batch = std::move(spare_);
  batch.clear();
  evaluator_.begin(in_flight_.empty() ? state_.applied.seq + 1
                                      : in_flight_.back().batch->header.seq + 1);
  const auto [records_max, bytes_max] = batch_max();
  while (next_ < waiting_.size() && evaluator_.records().size() < records_max &&
         evaluator_.bytes() < bytes_max) {
    if (batch.size() % prefetched == 0) {
      evaluator_.prefetch(
          std::span(waiting_).subspan(next_).first(std::min(prefetched, waiting_.size() - next_)));
    }
    batch.push_back(std::move(waiting_[next_++]));
    evaluator_.evaluate(batch.back());
  }
  if (next_ == waiting_.size()) {
    waiting_.clear();
    next_ = 0;
  } else if (next_ > state_.options.proposals_max) {
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(next_));
    next_ = 0;
  }
  return batch;
}

void WriteQueue::answer_without_append(std::vector<Proposal> proposals) {
  // Nothing is in flight, so all that these operations saw is committed; what remains is the fence.
  if (!host_.can_linearize()) {
    state_.observer.on_rare("an operation without records waited for the fence");
    return put_back(std::move(proposals));
  }
  const Instant now = state_.environment.now();
  for (Proposal& proposal : proposals) {
    state_.times = {.asked = proposal.since, .settled = now};
    proposal.answer();
  }
  state_.times = {};
  settle();
}

void WriteQueue::settle() {
  if (quiet()) follows_nothing_ = false;
  report_pending();
  host_.on_settled();
  schedule();
}

void WriteQueue::report_pending() {
  size_t pending = waiting();
  for (const Flight& flight : in_flight_) pending += flight.proposals.size();
  state_.observer.on_pending(pending);
}

void WriteQueue::append_batch(std::vector<Proposal> proposals) {
  const Position follows =
      in_flight_.empty() ? state_.applied : in_flight_.back().batch->header.position();
  auto batch = std::make_shared<Batch>();
  batch->records = evaluator_.take_records();
  BatchHeader& header = batch->header;
  header.seq = follows.seq + 1;
  header.previous = follows.digest;
  header.epoch = state_.epoch;
  header.incarnation = state_.leader;
  header.id = state_.random.batch_id();
  header.last_revision = state_.keyspace.staged_revision();
  header.record_count = static_cast<uint32_t>(batch->records.size());
  header.digest = compute_digest(state_.log.id(), header, batch->records);
  if (!in_flight_.empty()) state_.observer.on_rare("two appends overlapped");
  in_flight_.push_back(
      {std::move(proposals), batch, state_.environment.now(), evaluator_.only_keys()});
  report_pending();
  resolver_.append(std::move(batch), [this](AppendResolver::Verdict verdict, const Status& detail) {
    on_verdict(verdict, detail);
  });
  if (planted(Planted::ack_before_commit)) answer_all(&in_flight_.back().proposals);
  if (planted(Planted::forwarded_answered_early)) {
    answer_all(&in_flight_.back().proposals, Origin::peer);
  }
  schedule();
}

// Of the oldest batch in flight; anything but `committed` means those behind it too.
void WriteQueue::on_verdict(AppendResolver::Verdict verdict, const Status& detail) {
  if (verdict == AppendResolver::Verdict::committed) return on_committed();
  state_.rollback();
  if (closed_) return in_flight_.clear();
  switch (verdict) {
    case AppendResolver::Verdict::refused:
      return on_refused();
    case AppendResolver::Verdict::rejected:
      return on_rejected();
    default:
      return on_lost(detail);
  }
}

void WriteQueue::on_committed() {
  const Charged charged(state_.environment);
  Flight flight = std::move(in_flight_.front());
  in_flight_.pop_front();
  state_.commit(*flight.batch);
  const Instant now = state_.environment.now();
  append_took_ = now - flight.submitted;
  state_.observer.on_append_committed(
      {flight.proposals.size(), flight.batch->records.size(), append_took_});
  host_.on_committed(*flight.batch);
  for (Proposal& proposal : flight.proposals) {
    state_.times = {proposal.since, flight.submitted, now};
    proposal.answer();
  }
  state_.times = {};
  flight.proposals.clear();
  if (spare_.capacity() < flight.proposals.capacity()) spare_ = std::move(flight.proposals);
  settle();
}

void WriteQueue::on_refused() {
  state_.observer.on_proposal_failed();
  std::vector<Proposal> refused = std::move(in_flight_.front().proposals);
  in_flight_.pop_front();
  // Those behind it are not in the log either; without it they may have another result.
  put_back(take_in_flight());
  for (Proposal& proposal : refused) proposal.refuse(Error::no_space);
  settle();
}

void WriteQueue::on_rejected() {
  state_.observer.on_rare("a batch was rejected");
  returned_ = take_in_flight();
  host_.on_rejected();
}

void WriteQueue::on_lost(const Status& detail) {
  // Whether the batches ever landed cannot be told any more; their callers learn only that.
  state_.observer.on_proposal_failed();
  for (std::vector<Proposal> lost = take_in_flight(); Proposal & proposal : lost) {
    proposal.refuse(Error::timeout);
  }
  host_.on_lost(detail);
}

std::vector<Proposal> WriteQueue::take_in_flight() {
  std::vector<Proposal> all;
  for (Flight& flight : std::exchange(in_flight_, {})) {
    for (Proposal& proposal : flight.proposals) all.push_back(std::move(proposal));
  }
  return all;
}

void WriteQueue::put_back(std::vector<Proposal> proposals) {
  for (; next_ < waiting_.size(); ++next_) proposals.push_back(std::move(waiting_[next_]));
  waiting_ = std::move(proposals);
  next_ = 0;
}

void WriteQueue::resume() {
  put_back(std::exchange(returned_, {}));
  settle();
}

void WriteQueue::abandon(const Status& status) {
  if (returned_.empty()) return;
  for (std::vector<Proposal> done = std::exchange(returned_, {}); Proposal & proposal : done) {
    proposal.refuse(status);
  }
  settle();
}

std::vector<Proposal> WriteQueue::take_waiting() {
  std::vector<Proposal> all = std::exchange(returned_, {});
  for (; next_ < waiting_.size(); ++next_) all.push_back(std::move(waiting_[next_]));
  waiting_.clear();
  next_ = 0;
  report_pending();
  return all;
}

void WriteQueue::close(const Status& status, const Status& untouched) {
  closed_ = true;
  untouched_ = untouched;
  sweep_timer_.reset();
  // What is in flight stays: it is staged until the resolver answers.
  for (Flight& flight : in_flight_) {
    for (Proposal& proposal : flight.proposals) proposal.refuse(status);
  }
  for (std::vector<Proposal> done = std::exchange(returned_, {}); Proposal & proposal : done) {
    proposal.refuse(untouched);
  }
  for (; next_ < waiting_.size(); ++next_) waiting_[next_].refuse(untouched);
}

void WriteQueue::arm_sweep() {
  if (sweep_timer_ != nullptr || closed_) return;
  sweep_timer_ = state_.environment.after(write_sweep_interval, [this] { sweep(); });
}

std::vector<Proposal> WriteQueue::take_hopeless() {
  std::vector<Proposal> hopeless;
  if (state_.log.reachable()) return hopeless;
  std::vector<Proposal> kept;
  for (; next_ < waiting_.size(); ++next_) {
    Proposal& proposal = waiting_[next_];
    (proposal.origin == Origin::internal ? kept : hopeless).push_back(std::move(proposal));
  }
  waiting_ = std::move(kept);
  next_ = 0;
  return hopeless;
}

void WriteQueue::sweep() {
  sweep_timer_.reset();
  std::vector<Proposal> hopeless = take_hopeless();
  const Instant now = state_.environment.now();
  std::vector<std::pair<Proposal, Error>> late;
  const bool leads = host_.may_append();
  const Patience patience =
      leads ? Patience{state_.options.request_timeout, Error::timeout} : host_.patience();
  while (next_ < waiting_.size() && now - waiting_[next_].since >= patience.limit) {
    late.emplace_back(std::move(waiting_[next_++]), patience.error);
  }
  // Those in a batch may have landed: they are told so while the batch goes on being resolved.
  bool uncertain = false;
  for (Flight& flight : in_flight_) {
    for (Proposal& proposal : flight.proposals) {
      if (now - proposal.since < state_.options.request_timeout) continue;
      uncertain = true;
      proposal.refuse(Error::timeout);
    }
  }
  if (uncertain) state_.observer.on_rare("a batch in flight outlived its callers");
  for (auto& [proposal, error] : late) proposal.refuse(error);
  for (Proposal& proposal : hopeless) proposal.refuse(unreachable());
  if (waiting() > 0 || !quiet()) arm_sweep();
}

}  // namespace lattice::replica
