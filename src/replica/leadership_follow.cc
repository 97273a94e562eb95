// How a replica follows the one that leads: looks at the log and at the leader's session, and hears
// of both sooner.
#include <utility>

#include "base/planted.h"
#include "replica/leadership.h"

namespace lattice::replica {

// ---- Following ----

void Leadership::follow_later(Duration delay) {
  later(delay + state_.random.jitter(delay / 4), &Leadership::follow);
}

void Leadership::pause() {
  if (session_ == nullptr) return later(state_.options.poll_interval, &Leadership::load);
  timer_ = session_->polls().at_next([this] { follow(); });
}

void Leadership::follow() {
  if (role_ != Role::following) return;
  if (sealed_) return pause();
  // Nothing may be shown before it was seen whether the history is still the one shown before.
  if (witness_) return check_witness();
  // An append of the time when this replica led is still being resolved.
  if (!host_.quiet() || resolver_.busy() || reader_.reading()) {
    return pause();
  }
  // What is read or heard while the question is under way, its answer need not show.
  const Known known{reader_.tip().position(), state_.applied.seq, reader_.restarts()};
  state_.log.head(
      lifetime_.guard([this, known](const Result<LogHead>& head) { on_head(known, head); }));
}

void Leadership::on_head(const Known& known, const Result<LogHead>& head) {
  if (role_ != Role::following || known.restarts != reader_.restarts()) return;
  if (!head.ok()) {
    seen_since_.reset();
    return pause();
  }
  const BatchHeader& newest = head->newest;
  if (newest.seq < known.tip.seq ||
      (newest.seq == known.tip.seq && newest.digest != known.tip.digest)) {
    // What was only read ahead proves nothing; what was applied had been acknowledged (H3).
    const bool speculative = known.applied < known.tip.seq && newest.seq >= known.applied;
    if (speculative) {
      state_.observer.on_rare("a batch that was read ahead has vanished");
      return reload(Error::leader_changed);
    }
    state_.observer.on_rare("the log has lost acknowledged batches");
    return reload(Error::leader_changed);
  }
  if (newest.seq <= reader_.tip().seq) return examine_leader();
  // A hint has begun to read meanwhile; or this replica has led in between, and what is new is an
  // append of its own whose outcome it does not know yet.
  if (reader_.reading() || !host_.quiet() || resolver_.busy()) return pause();
  reader_.read(lifetime_.guard([this](const Status& status) { on_followed(status); }));
}

void Leadership::on_followed(const Status& status) {
  if (role_ != Role::following) return;
  if (!settle_read(status)) return;
  if (!status.ok()) return pause();
  examine_leader();
}

bool Leadership::settle_read(const Status& status) {
  if (status.error() == Error::backend_corrupt) {
    // What was only read ahead may have vanished in a failover and others stand in its place.
    state_.observer.on_rare(state_.applied.seq == reader_.tip().seq
                                ? "acknowledged batches were replaced"
                                : "batches that were read ahead were replaced");
    // A log that is broken says so again when it is read from its beginning.
    reload(Error::leader_changed);
    return false;
  }
  if (status.error() == Error::compacted) {
    state_.observer.on_rare("a follower fell behind a compaction");
    reload(Error::leader_changed);
    return false;
  }
  if (status.ok() && presentable()) host_.on_progress();
  host_.on_read();
  return role_ == Role::following;
}

void Leadership::examine_leader() {
  const Incarnation leader = reader_.tip().incarnation;
  if (leader != session_->incarnation() && handed_over_) std::exchange(handed_over_, nullptr)({});
  if (reader_.seal() || held_) {
    set_other_alive(false);
    return pause();
  }
  if (leader == Incarnation{} && reader_.tip().seq != Seq(0)) return succeed();
  if (is_invited()) return take_over();
  if (reader_.tip().seq == Seq(0) || leader == session_->incarnation()) {
    if (state_.environment.now() < defers_until_) {
      return follow_later(state_.options.poll_interval / 4);
    }
    if (handed_over_) std::exchange(handed_over_, nullptr)(Error::timeout_leader_transfer);
    return take_over();
  }
  const Instant asked = state_.environment.now();
  session_->sessions().read(
      leader, state_.log.id(),
      lifetime_.guard([this, leader, asked](const Result<std::optional<SessionRow>>& row) {
        on_leader_row(leader, asked, row);
      }));
}

void Leadership::on_leader_row(const Incarnation& leader, Instant asked,
                               const Result<std::optional<SessionRow>>& row) {
  if (role_ != Role::following) return;
  // A takeover was heard of meanwhile: this is the session of one that leads no longer, and its
  // death no reason to take over.
  if (leader != reader_.tip().incarnation) return look();
  const Instant now = state_.environment.now();
  if (!row.ok()) {
    // Perhaps it was renewed while the database could not be asked: the wait starts again (L3).
    seen_since_.reset();
    return pause();
  }
  if (!row->has_value() || (*row)->dead) return succeed();
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
    const bool new_leader = seen_.incarnation != leader || !seen_since_;
    seen_ = session;
    seen_.incarnation = leader;
    seen_since_ = now;
    if (new_leader) host_.on_leader_known();
  } else if (now - *seen_since_ >= state_.options.session_ttl ||
             planted(Planted::takeover_without_waiting)) {
    set_other_alive(false);
    return declare_dead(seen_);
  }
  if (history_lost()) {
    host_.tell_leader(*lost_);
    look_again(&Leadership::pause);
  } else {
    pause();
  }
  // Where nothing else reaches this replica, the row still tells how far its leader has come.
  if (session.announced.seq > state_.applied.seq) on_announced(session.announced);
}

void Leadership::declare_dead(const SessionRow& row) {
  seen_since_.reset();
  // Declaring without a session of one's own would only leave the tenant without a leader.
  if (!session_->valid()) return pause();
  session_->sessions().declare_dead(row.incarnation, row.renewals,
                                    lifetime_.guard([this](const Result<bool>& declared) {
                                      if (role_ != Role::following) return;
                                      // Taking over looks at the row again, so nothing is assumed
                                      // here. Another tenant's replica may have been first.
                                      declared.ok() ? follow_later(Duration{}) : pause();
                                    }));
}

// ---- Hearing of it sooner ----

void Leadership::hint() {
  if (role_ != Role::following || !reader_.loaded()) return;
  if (reader_.reading() || !host_.quiet() || resolver_.busy()) {
    hinted_ = true;
    return;
  }
  hinted_ = false;
  reader_.read(lifetime_.guard([this](const Status& status) { on_hinted(status); }));
}

void Leadership::on_hinted(const Status& status) {
  if (role_ != Role::following || !settle_read(status) || !status.ok()) return;
  if (leader() != seen_.incarnation) return look();
  // Not because something announced is missing: it may be lost for good.
  if (hinted_) hint();
}

void Leadership::on_announced(const Position& position) {
  if (role_ != Role::following || !reader_.loaded()) return;
  const Seq before = state_.applied.seq;
  const Incarnation leader_before = leader();
  if (Status status = reader_.release(position); !status.ok()) {
    settle_read(status);
    return;
  }
  if (state_.applied.seq != before && presentable()) host_.on_progress();
  if (role_ != Role::following) return;
  if (leader() != leader_before || leader() != seen_.incarnation) return look();
  if (reader_.lacks_announced()) hint();
}

void Leadership::look() {
  if (role_ == Role::following && reader_.loaded()) later(Duration{}, &Leadership::follow);
}

NodeInfo Leadership::leader_node() const {
  if (leads()) return state_.options.node;
  const bool known = role_ == Role::following && other_alive_ && seen_.incarnation == leader();
  return known ? seen_.node : NodeInfo();
}

}  // namespace lattice::replica
