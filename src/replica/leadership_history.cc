// What a replica does when the log no longer contains what was acknowledged: an asynchronous
// standby was promoted, an old backup restored (log-protocol H3). One appended batch jumps: the
// revision goes beyond anything ever acknowledged, everything below counts as compacted, all
// watches end. The leader appends it; a replica that alone knows of the loss tells the leader, and
// shows nothing meanwhile.
#include <algorithm>
#include <utility>

#include "base/planted.h"
#include "replica/leadership.h"
#include "replica/takeover.h"

namespace lattice::replica {
namespace {

// A header that was trimmed lies behind a compaction of this very history.
bool is_there(const WitnessCall& witness, const Log::LookReply& reply) {
  return reply.header ? reply.header->digest == witness.position.digest
                      : reply.newest >= witness.position.seq;
}

}  // namespace

// The state is about to be thrown away, and with it the memory of what was acknowledged.
void Leadership::keep_witness() {
  if (session_ == nullptr || witness_ || state_.applied.seq == Seq(0)) return;
  witness_ = WitnessCall{state_.applied, state_.keyspace.visible_revision()};
}

void Leadership::on_witness(const WitnessCall& witness) {
  if (!leads() || session_ == nullptr || witness_) return;
  if (witness.revision < state_.history_base || witness.position.seq == Seq(0)) return;
  witness_ = witness;
  check_witness();
}

void Leadership::check_witness() {
  if (!active() || !witness_) return;
  state_.log.look(witness_->position.seq,
                  lifetime_.guard([this](const Result<Log::LookReply>& reply) {
                    if (active() && witness_) on_witness_look(reply);
                  }));
}

void Leadership::on_witness_look(const Result<Log::LookReply>& reply) {
  if (!reply.ok()) {
    if (role_ == Role::following) pause();
    // Somebody else's, who tells again.
    if (leads()) witness_.reset();
    return;
  }
  const WitnessCall witness = *std::exchange(witness_, std::nullopt);
  const bool lost = !is_there(witness, *reply);
  if (lost && witness.revision >= state_.history_base) {
    state_.observer.on_rare("acknowledged history was lost");
    if (!lost_ || lost_->revision < witness.revision) lost_ = witness;
  }
  if (role_ == Role::following) {
    if (presentable()) host_.on_progress();
    follow();
  } else if (leads() && history_lost()) {
    // It takes over from itself, by a batch that jumps; nothing is answered in between.
    step_down(Error::leader_changed);
  }
}

void Leadership::look_again(void (Leadership::*then)()) {
  const WitnessCall lost = *lost_;
  state_.log.look(lost.position.seq,
                  lifetime_.guard([this, lost, then](const Result<Log::LookReply>& reply) {
                    if (role_ != Role::following || !lost_) return;
                    if (!reply.ok()) return pause();
                    lost_at_ = state_.log.connection();
                    if (is_there(lost, *reply)) {
                      state_.observer.on_rare("what seemed to be lost is there");
                      lost_.reset();
                      if (presentable()) host_.on_progress();
                    }
                    (this->*then)();
                  }));
}

bool Leadership::server_changed() const {
  if (state_.log.survives_failover() || session_ == nullptr) return false;
  if (planted(Planted::jump_not_appended)) return false;
  const LogServer now = state_.log.server();
  const LogServer& before = reader_.server();
  if (now.system == 0 || before.system == 0 || now == before) return false;
  // Who led until now knows what it has acknowledged, and would have missed it.
  return reader_.tip().incarnation != session_->incarnation();
}

// Requires: the batch holds its takeover record; its digest is not computed yet.
void Leadership::append_jump(Batch* batch) const {
  const Revision newest = batch->header.last_revision;
  const Revision acknowledged = lost_ ? std::max(lost_->revision, newest) : newest;
  std::optional<Position> gone;
  if (lost_) gone = lost_->position;
  const Revision base = add_jump(batch, acknowledged, gone);
  state_.observer.on_history_lost(acknowledged, base);
}

}  // namespace lattice::replica
