// How a replica begins to lead, and how it lets another one.
#include <chrono>
#include <numeric>
#include <utility>

#include "base/planted.h"
#include "replica/leadership.h"

namespace lattice::replica {
namespace {
constexpr Duration retry_interval = std::chrono::milliseconds(200);
// How long one that was asked to take over may take before the former leader does.
constexpr Duration hand_over_limit = std::chrono::seconds(2);
constexpr Duration hand_over_interval = std::chrono::milliseconds(2);
}  // namespace

// ---- Taking over ----

void Leadership::take_over() {
  if (resolver_.busy() || !host_.quiet() || reader_.reading() ||
      (session_ != nullptr && !session_->valid())) {
    return follow_later(state_.options.poll_interval);
  }
  const BatchHeader& tip = reader_.tip();
  if (doubtful_ && gone_ != tip.incarnation) {
    // That leader may have been deleting while the log was read. Now that it is gone, once more.
    gone_ = tip.incarnation;
    return reload(Error::leader_changed);
  }
  if (history_lost() && lost_at_ != state_.log.connection()) {
    return look_again(&Leadership::take_over);
  }
  enter(Role::taking_over);
  auto batch = std::make_shared<Batch>();
  BatchHeader& header = batch->header;
  header.seq = tip.seq + 1;
  header.previous = tip.digest;
  header.epoch = tip.epoch + 1;
  header.incarnation = session_ != nullptr ? session_->incarnation() : state_.random.incarnation();
  header.id = state_.random.batch_id();
  header.last_revision = tip.seq == Seq(0) ? state_.keyspace.visible_revision() : tip.last_revision;
  header.record_count = 1;
  keyspace::Record record;
  record.kind = keyspace::RecordKind::takeover;
  record.revision = header.last_revision;
  record.number = static_cast<int64_t>(header.epoch.value);
  record.value = Bytes::copy(
      {reinterpret_cast<const char*>(header.incarnation.data()), header.incarnation.size()});
  record.lease = LeaseId(static_cast<int64_t>(state_.log.server().system));
  record.version = static_cast<int64_t>(state_.log.server().timeline);
  batch->records.push_back(std::move(record));
  if (history_lost() || server_changed()) append_jump(batch.get());
  header.digest = compute_digest(state_.log.id(), header, batch->records);
  if (planted(Planted::takeover_not_awaited)) {
    resolver_.append(batch, [](AppendResolver::Verdict, const Status&) {});
    return on_takeover(*batch, AppendResolver::Verdict::committed, {});
  }
  const Batch& content = *batch;  // kept alive by the callback
  resolver_.append(batch,
                   [this, batch, &content](AppendResolver::Verdict verdict, const Status& detail) {
                     on_takeover(content, verdict, detail);
                   });
}

void Leadership::on_takeover(const Batch& batch, AppendResolver::Verdict verdict,
                             const Status& detail) {
  if (role_ != Role::taking_over) return;
  enter(Role::following);
  switch (verdict) {
    case AppendResolver::Verdict::committed:
      return become_leader(batch);
    case AppendResolver::Verdict::lost:
      return session_ == nullptr ? fail(detail) : reload(Error::leader_changed);
    case AppendResolver::Verdict::rejected:
      state_.observer.on_rare("another took over first");
      // On an exclusive log too the log is read again: another process may have had it before.
      return later(Duration{}, session_ == nullptr ? &Leadership::load : &Leadership::follow);
    case AppendResolver::Verdict::refused:
      return later(retry_interval, session_ == nullptr ? &Leadership::load : &Leadership::follow);
  }
}

void Leadership::become_leader(const Batch& batch) {
  doubtful_ = false;
  Status status = reader_.apply_all();
  if (status.ok()) {
    Log::LoadedBatch own;
    own.header = batch.header;
    own.seq = batch.header.seq;
    own.indexes.resize(batch.records.size());
    std::iota(own.indexes.begin(), own.indexes.end(), 0);
    own.records = batch.records;
    status = state_.replay(own);
  }
  if (!status.ok()) return fail(status);
  reader_.advance(batch.header);
  // The session under which the batch was built may have died meanwhile: then it is nobody's.
  if (session_ != nullptr && session_->incarnation() != batch.header.incarnation) {
    state_.observer.on_rare("the session died during the takeover");
    return follow_later(Duration{});
  }
  takeover_ = batch.header;
  invited_.reset();
  enter(Role::leading);
  state_.leases.take_over(state_.environment.now());
  state_.observer.on_leader_change(true, true);
  host_.on_leading();
}

// ---- Handing over ----

void Leadership::hand_over(absl::AnyInvocable<void(const Position& tip)> ask, StatusCallback done) {
  if (!leads() || session_ == nullptr) return done(Error::not_leader);
  state_.observer.on_rare("a leader handed over");
  if (planted(Planted::move_without_stepping_down)) {
    ask(reader_.tip().position());
    return done({});
  }
  defers_until_ = state_.environment.now() + hand_over_limit;
  handed_over_ = std::move(done);
  step_down(Error::leader_changed);
  tell_successor(std::move(ask));
}

// Once nothing of this replica is on its way to the log any more.
void Leadership::tell_successor(absl::AnyInvocable<void(const Position& tip)> ask) {
  if (role_ != Role::following || !handed_over_) return;
  if (!host_.quiet() || resolver_.busy()) {
    hand_over_timer_ = state_.environment.after(
        hand_over_interval,
        [this, ask = std::move(ask)]() mutable { tell_successor(std::move(ask)); });
    return;
  }
  ask(reader_.tip().position());
}

void Leadership::accept(const Position& tip) {
  if (role_ != Role::following || session_ == nullptr) return;
  invited_ = tip;
  invited_until_ = state_.environment.now() + hand_over_limit;
  look();
}

bool Leadership::is_invited() const {
  return invited_ && *invited_ == reader_.tip().position() &&
         state_.environment.now() < invited_until_;
}

}  // namespace lattice::replica
