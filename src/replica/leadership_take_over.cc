// How a replica begins to lead, and how it lets another one.
#include <chrono>
#include <numeric>
#include <utility>

#include "base/planted.h"
#include "replica/leadership.h"
#include "replica/takeover.h"

namespace lattice::replica {
namespace {
// How long one that was asked to take over may take before the former leader does.
constexpr Duration hand_over_limit = std::chrono::seconds(2);
constexpr Duration hand_over_interval = std::chrono::milliseconds(2);
// Who should lead has this part of a session's TTL to take over before others do: at the defaults
// longer than a look at the session and the append.
constexpr int hold_back_per_ttl = 4;
}  // namespace

// ---- Taking over ----

void Leadership::succeed() {
  set_other_alive(false);
  holds_back() ? follow_later(state_.options.poll_interval / 4) : take_over();
}

// Once for each end of a leader, and a moment only: who should lead may be gone as well.
bool Leadership::holds_back() {
  const Incarnation& last = leader();
  const bool followed = last == Incarnation{} || last == seen_.incarnation;
  const std::string& gone = seen_.node.address;
  if (preferred_.empty() || !followed || gone.empty() || gone == preferred_ || is_invited()) {
    return false;
  }
  const Instant now = state_.environment.now();
  if (held_back_behind_ != reader_.tip().digest) {
    state_.observer.on_rare("a replica held back for who should lead");
    held_back_behind_ = reader_.tip().digest;
    holds_back_until_ = now + state_.options.session_ttl / hold_back_per_ttl;
  }
  return now < holds_back_until_;
}

void Leadership::take_over() {
  if (const std::optional<Seal>& seal = reader_.seal(); seal) {
    if (session_ != nullptr) return pause();
    return fail({Error::backend_foreign_data,
                 "the log is sealed: its tenant was moved to backend \"" + seal->target + "\""});
  }
  if (resolver_.busy() || !host_.quiet() || reader_.reading() ||
      (session_ != nullptr && !session_->valid())) {
    return pause();
  }
  const BatchHeader& tip = reader_.tip();
  if (doubtful_ && gone_ != tip.digest) {
    // That leader may have been deleting while the log was read. Now that it is gone, once more.
    gone_ = tip.digest;
    return reload(Error::leader_changed);
  }
  if (history_lost() && lost_at_ != state_.log.connection()) {
    return look_again(&Leadership::take_over);
  }
  enter(Role::taking_over);
  const std::shared_ptr<Batch> batch = make_takeover(
      state_, tip, session_ != nullptr ? session_->incarnation() : state_.random.incarnation());
  BatchHeader& header = batch->header;
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
  if (role_ == Role::stopped && verdict == AppendResolver::Verdict::committed) {
    return reader_.advance(batch.header);  // it names this replica: resign() goes on from there
  }
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
  // Also if that has failed: behind it this replica resigns.
  reader_.advance(batch.header);
  if (!status.ok()) return fail(status);
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
  // An invitation is behind this replica's own leadership only: another may have taken over
  // meanwhile, and while that one's session lives nobody else may (L3).
  if (leader() == session_->incarnation()) ask(reader_.tip().position());
}

void Leadership::accept(const Position& tip) {
  if (role_ != Role::following || session_ == nullptr) return;
  invited_ = tip;
  invited_until_ = state_.environment.now() + hand_over_limit;
  look();
}

// ---- Leading no more ----

void Leadership::stop(Instant give_up, StatusCallback done) {
  enter(Role::stopped);
  timer_.reset();
  stop_give_up_ = give_up;
  stopped_ = std::move(done);
  stop_timer_ = state_.environment.after({}, [this] { resign(); });
}

// By what this replica has read; what it has not read ends its resignation by itself.
bool Leadership::named_leader() const {
  return session_ != nullptr && reader_.tip().seq != Seq(0) &&
         reader_.tip().incarnation == session_->incarnation();
}

void Leadership::resign() {
  const bool in_time = state_.environment.now() < stop_give_up_;
  if (resolver_.busy() && in_time) {
    stop_timer_ = state_.environment.after(hand_over_interval, [this] { resign(); });
    return;
  }
  if (!named_leader() || reader_.seal()) return end_stop({});
  if (!in_time) return end_stop(Error::no_leader);
  // A successor takes this for proof that all that was acknowledged is there.
  if (!reader_.loaded() || reader_.reading() || witness_ || lost_)
    return end_stop(Error::no_leader);
  const std::shared_ptr<Batch> batch = make_takeover(state_, reader_.tip(), Incarnation{});
  batch->header.digest = compute_digest(state_.log.id(), batch->header, batch->records);
  resolver_.append(batch, [this](AppendResolver::Verdict verdict, const Status&) {
    if (verdict == AppendResolver::Verdict::committed) {
      state_.observer.on_rare("a leader resigned");
    }
    // Rejected: another has taken over.
    const bool over = verdict == AppendResolver::Verdict::committed ||
                      verdict == AppendResolver::Verdict::rejected;
    end_stop(over ? Status() : Error::no_leader);
  });
  if (stop_give_up_ == Instant::never()) return;
  stop_timer_ = state_.environment.after(stop_give_up_ - state_.environment.now(),
                                         [this] { end_stop(Error::no_leader); });
}

void Leadership::end_stop(const Status& status) {
  stop_timer_.reset();
  if (stopped_) std::exchange(stopped_, nullptr)(status);
}

bool Leadership::is_invited() const {
  return invited_ && *invited_ == reader_.tip().position() &&
         state_.environment.now() < invited_until_;
}

}  // namespace lattice::replica
