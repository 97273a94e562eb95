#include "replica/leadership.h"

#include <chrono>
#include <utility>

namespace lattice::replica {
namespace {
constexpr Duration retry_interval = std::chrono::milliseconds(200);
constexpr Instant nobody{INT64_MIN};
// A log that contradicts itself this often in a row does so for good.
constexpr int loads_max = 20;
}  // namespace

Leadership::Leadership(State& state, LogReader& reader, AppendResolver& resolver,
                       Sessions* sessions, Host& host)
    : state_(state), reader_(reader), resolver_(resolver), host_(host) {
  if (sessions != nullptr && !state.log.exclusive()) {
    SessionKeeper::Host& keeper_host =
        *this;  // a private base, which make_unique may not convert to
    session_ = std::make_unique<SessionKeeper>(state, *sessions, keeper_host);
  }
}

void Leadership::start() {
  if (session_ != nullptr) session_->start();
  load();
}

bool Leadership::fenced() const {
  return leads() && !catching_up_ && (session_ == nullptr || session_->valid());
}

bool Leadership::other_leads() const {
  if (!other_alive_ || leads() || !renewed_after_) return false;
  // A renewal every so often, and between it and what this replica knows of it two looks at most.
  const Duration usual = state_.options.session_renewal + state_.options.poll_interval * 5 / 2;
  return state_.environment.now() - *renewed_after_ < usual;
}

Instant Leadership::led_until() const {
  if (!leads()) return other_alive_ ? Instant::never() : nobody;
  if (catching_up_) return nobody;
  return session_ == nullptr ? Instant::never() : session_->valid_until();
}

void Leadership::publish() {
  state_.published->led_until_ns.store(led_until().nanoseconds, std::memory_order_release);
}

void Leadership::enter(Role role, bool catching_up) {
  role_ = role;
  catching_up_ = catching_up;
  publish();
}

void Leadership::later(Duration delay, void (Leadership::*step)()) {
  timer_ = state_.environment.after(delay, [this, step] { (this->*step)(); });
}

// ---- Reading ----

void Leadership::load() {
  state_.log.head(lifetime_.guard([this](const Result<LogHead>& head) {
    if (!active()) return;
    if (!head.ok()) return later(retry_interval, &Leadership::load);
    load_began_ = head->newest.seq;
    reader_.read(lifetime_.guard([this](const Status& status) { on_loaded(status); }));
  }));
}

void Leadership::on_loaded(const Status& status) {
  if (!active()) return;
  // A log is not read in one moment: a leader that deletes superseded records meanwhile can make
  // what was read contradict itself.
  const bool may_pass = session_ != nullptr && ++loads_ < loads_max;
  if (status.error() == Error::backend_corrupt && !may_pass) return fail(status);
  if (!status.ok()) {
    reader_.restart();
    return later(retry_interval, &Leadership::load);
  }
  enter(Role::following);
  if (session_ == nullptr) {
    // Nobody else writes here, so all of it is in the chain for good. A compaction among the newest
    // must not wait: what it has deleted already would be missing at older revisions.
    if (Status applied = reader_.apply_all(); !applied.ok()) return fail(applied);
  }
  // Deletions end before their compact_done is appended. Without one that was there when the
  // reading began, it is read again, unless there is no leader to delete anything.
  doubtful_ = session_ != nullptr && !reader_.settled_at(load_began_);
  if (!doubtful_) host_.on_progress();
  session_ == nullptr ? take_over() : follow();
}

void Leadership::catch_up() {
  if (!active()) return;
  if (!leads()) return host_.on_stepped_down(Error::leader_changed);
  enter(Role::leading, true);
  if (reader_.reading() || !host_.quiet()) return later(retry_interval, &Leadership::catch_up);
  reader_.read(lifetime_.guard([this](const Status& status) { on_caught_up(status); }));
}

void Leadership::on_caught_up(const Status& status) {
  if (!leads()) return;  // the session has died meanwhile
  if (status.error() == Error::backend_corrupt) return fail(status);
  if (status.error() == Error::compacted) return reload(Error::leader_changed);
  if (!status.ok()) return later(retry_interval, &Leadership::catch_up);
  enter(Role::leading);
  const BatchHeader& tip = reader_.tip();
  // Not the state's leader: what was read may have moved that on already.
  const bool still_mine = tip.epoch == takeover_.epoch && tip.incarnation == takeover_.incarnation;
  if (!still_mine) {
    state_.observer.on_rare("a leader met another's takeover");
    return step_down(Error::leader_changed);
  }
  // Only this replica appends under its takeover, so all of it is its own and was waited for.
  if (Status applied = reader_.apply_all(); !applied.ok()) return fail(applied);
  host_.on_caught_up();
}

void Leadership::reload(const Status& status) {
  if (!active()) return;
  if (resolver_.busy()) return fail({Error::backend_corrupt, "the log was lost during an append"});
  reader_.restart();
  enter(Role::loading);
  host_.on_stepped_down(status);
  later(retry_interval, &Leadership::load);
}

// ---- Following ----

void Leadership::follow_later(Duration delay) {
  later(delay + state_.random.jitter(delay / 4), &Leadership::follow);
}

void Leadership::follow() {
  if (role_ != Role::following) return;
  // An append of the time when this replica led is still being resolved.
  if (!host_.quiet() || resolver_.busy() || reader_.reading()) {
    return follow_later(state_.options.poll_interval);
  }
  state_.log.head(lifetime_.guard([this](const Result<LogHead>& head) { on_head(head); }));
}

void Leadership::on_head(const Result<LogHead>& head) {
  if (role_ != Role::following) return;
  if (!head.ok()) {
    seen_since_.reset();
    return follow_later(state_.options.poll_interval);
  }
  const BatchHeader& tip = reader_.tip();
  const BatchHeader& newest = head->newest;
  if (newest.seq < tip.seq || (newest.seq == tip.seq && newest.digest != tip.digest)) {
    // What was only read ahead proves nothing; what was applied had been acknowledged (H3).
    const bool speculative = state_.applied.seq < tip.seq && newest.seq >= state_.applied.seq;
    if (speculative) {
      state_.observer.on_rare("a batch that was read ahead has vanished");
      return reload(Error::leader_changed);
    }
    return fail({Error::backend_corrupt, "the log has lost acknowledged batches"});
  }
  if (newest.seq == tip.seq) return examine_leader();
  reader_.read(lifetime_.guard([this](const Status& status) { on_followed(status); }));
}

void Leadership::on_followed(const Status& status) {
  if (role_ != Role::following) return;
  if (status.error() == Error::backend_corrupt) {
    // What was only read ahead may have vanished in a failover and others stand in its place.
    if (state_.applied.seq == reader_.tip().seq) return fail(status);
    state_.observer.on_rare("batches that were read ahead were replaced");
    return reload(Error::leader_changed);
  }
  if (status.error() == Error::compacted) {
    state_.observer.on_rare("a follower fell behind a compaction");
    return reload(Error::leader_changed);
  }
  if (!status.ok()) return follow_later(state_.options.poll_interval);
  if (!doubtful_) host_.on_progress();
  examine_leader();
}

void Leadership::examine_leader() {
  const Incarnation leader = reader_.tip().incarnation;
  if (reader_.tip().seq == Seq(0) || leader == session_->incarnation()) return take_over();
  const Instant asked = state_.environment.now();
  session_->sessions().read(
      leader, lifetime_.guard([this, leader, asked](const Result<std::optional<SessionRow>>& row) {
        on_leader_row(leader, asked, row);
      }));
}

void Leadership::on_leader_row(const Incarnation& leader, Instant asked,
                               const Result<std::optional<SessionRow>>& row) {
  if (role_ != Role::following) return;
  const Instant now = state_.environment.now();
  if (!row.ok()) {
    // Perhaps it was renewed while the database could not be asked: the wait starts again (L3).
    seen_since_.reset();
    return follow_later(state_.options.poll_interval);
  }
  if (!row->has_value() || (*row)->dead) {
    set_other_alive(false);
    return take_over();
  }
  const SessionRow& session = **row;
  if (seen_.incarnation == leader && seen_.renewals != session.renewals) {
    renewed_after_ = unchanged_at_;
  }
  unchanged_at_ = asked;
  if (!seen_since_ || seen_.incarnation != leader || seen_.renewals != session.renewals) {
    set_other_alive(true);
    if (doubtful_ && seen_since_) {
      state_.observer.on_rare("the log was read while it was being compacted");
      return reload(Error::leader_changed);
    }
    seen_ = session;
    seen_.incarnation = leader;
    seen_since_ = now;
  } else if (now - *seen_since_ >= state_.options.session_ttl) {
    set_other_alive(false);
    return declare_dead(seen_);
  }
  follow_later(state_.options.poll_interval);
}

void Leadership::declare_dead(const SessionRow& row) {
  seen_since_.reset();
  // Declaring without a session of one's own would only leave the tenant without a leader.
  if (!session_->valid()) return follow_later(state_.options.poll_interval);
  session_->sessions().declare_dead(
      row.incarnation, row.renewals, lifetime_.guard([this](const Result<bool>& declared) {
        if (role_ != Role::following) return;
        // Taking over looks at the row again, so nothing is assumed here.
        follow_later(declared.ok() && *declared ? Duration{} : state_.options.poll_interval);
      }));
}

// ---- Taking over ----

void Leadership::take_over() {
  if (resolver_.busy() || !host_.quiet() || (session_ != nullptr && !session_->valid())) {
    return follow_later(state_.options.poll_interval);
  }
  const BatchHeader& tip = reader_.tip();
  if (doubtful_ && gone_ != tip.incarnation) {
    // That leader may have been deleting while the log was read. Now that it is gone, once more.
    gone_ = tip.incarnation;
    return reload(Error::leader_changed);
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
  batch->records.push_back(std::move(record));
  header.digest = compute_digest(state_.log.id(), header, batch->records);
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
  loads_ = 0;
  doubtful_ = false;
  Status status = reader_.apply_all();
  if (status.ok()) {
    Log::LoadedBatch own;
    own.header = batch.header;
    own.seq = batch.header.seq;
    own.indexes = {0};
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
  enter(Role::leading);
  state_.leases.take_over(state_.environment.now());
  state_.observer.on_leader_change(true, true);
  host_.on_leading();
}

// ---- Ending ----

void Leadership::step_down(const Status& status) {
  enter(Role::following);
  seen_since_.reset();
  state_.leases.step_down();
  state_.observer.on_leader_change(false, other_alive_);
  host_.on_stepped_down(status);
  follow_later(Duration{});
}

void Leadership::fail(const Status& status) {
  enter(Role::failed);
  host_.on_failed(status);
}

void Leadership::stop(StatusCallback done) {
  enter(Role::stopped);
  timer_.reset();
  if (session_ == nullptr) {
    stop_timer_ = state_.environment.after({}, [done = std::move(done)]() mutable { done({}); });
    return;
  }
  session_->release(std::move(done));
}

void Leadership::set_other_alive(bool alive) {
  if (alive == other_alive_) return;
  other_alive_ = alive;
  publish();
  state_.observer.on_leader_change(leads(), alive);
}

void Leadership::on_session_extended(bool lapsed) {
  if (!leads()) return;
  publish();
  if (lapsed) {
    state_.observer.on_rare("a leader's session lapsed and came back");
    host_.on_session_regained();
  }
  host_.on_progress();
}

void Leadership::on_session_dead() {
  if (!leads()) return;
  state_.observer.on_rare("a leader's session was declared dead");
  step_down(Error::leader_changed);
}

}  // namespace lattice::replica
