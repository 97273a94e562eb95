#include "replica/leadership.h"

#include <chrono>
#include <utility>

#include "base/planted.h"

namespace lattice::replica {
namespace {
constexpr Instant nobody{INT64_MIN};
// A log that contradicts itself this often in a row does so for good.
constexpr int contradictions_max = 20;
}  // namespace

Leadership::Leadership(State& state, LogReader& reader, AppendResolver& resolver,
                       SessionKeeper* session, Host& host)
    : state_(state),
      reader_(reader),
      resolver_(resolver),
      host_(host),
      session_(state.log.exclusive() ? nullptr : session),
      held_(state.options.arriving) {
  if (session_ != nullptr) session_->add(*this);
}

Leadership::~Leadership() {
  if (session_ != nullptr) session_->remove(*this);
}

void Leadership::start() { load(); }

bool Leadership::fenced() const {
  if (planted(Planted::leader_read_unfenced)) return leads();
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
  contradictions_ = status.error() == Error::backend_corrupt ? contradictions_ + 1 : 0;
  const bool may_pass = session_ != nullptr && contradictions_ < contradictions_max;
  if (contradictions_ > 0 && !may_pass) return fail(status);
  if (!status.ok()) {
    // What had been read before is shown already, and only more of it was asked for.
    if (reader_.loaded() && status.error() != Error::compacted) {
      return later(retry_interval, &Leadership::load);
    }
    return reload(status);
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
  // Whether the history is still the one that was shown before is looked at first.
  if (presentable()) host_.on_progress();
  if (witness_) return check_witness();
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
  switch (status.error()) {
    case Error::ok:
      break;
    case Error::backend_corrupt:
      return session_ == nullptr ? fail(status) : reload(Error::leader_changed);
    case Error::compacted:
      return reload(Error::leader_changed);
    default:
      return later(retry_interval, &Leadership::catch_up);
  }
  enter(Role::leading);
  const BatchHeader& tip = reader_.tip();
  // Not the state's leader: what was read may have moved that on already.
  const bool still_mine = tip.epoch == takeover_.epoch && tip.incarnation == takeover_.incarnation;
  if (!still_mine && !planted(Planted::deposed_lease_owner)) {
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
  keep_witness();
  reader_.restart();
  enter(Role::loading);
  host_.on_stepped_down(status);
  later(retry_interval, &Leadership::load);
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

void Leadership::set_other_alive(bool alive) {
  if (alive == other_alive_) return;
  other_alive_ = alive;
  publish();
  state_.observer.on_leader_change(leads(), alive);
}

void Leadership::on_session_extended(bool lapsed) {
  // Who waits to take over may have waited for this.
  if (lapsed && role_ == Role::following) return look();
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
