#include "replica/read_index.h"

#include <algorithm>
#include <utility>

#include "base/planted.h"

namespace lattice::replica {
namespace {
// More of them would only make each round smaller.
constexpr size_t asking_max = 4;
}  // namespace

ReadIndex::Round ReadIndex::join() {
  if (planted(Planted::older_position_reused) && asking_ > 0) return joining_ - 1;
  joined_ = true;
  ask_later();
  return joining_;
}

// At the end of the turn, so that all reads which it brings share one question.
void ReadIndex::ask_later() {
  if (scheduled_) return;
  scheduled_ = true;
  state_.environment.defer(lifetime_.guard([this] {
    scheduled_ = false;
    ask();
  }));
}

void ReadIndex::ask() {
  if (!joined_ || asking_ >= asking_max) return;
  const std::string address = host_.leader_address();
  if (address.empty()) return retry_.later();
  joined_ = false;
  const Round round = joining_++;
  ++asking_;
  peers_.call(address, {PositionCall{}, state_.options.request_timeout},
              lifetime_.guard([this, round, leaders = leaders_](const Result<PeerReply>& reply) {
                on_reply(round, leaders, reply);
              }));
}

void ReadIndex::on_reply(Round round, uint64_t leaders, const Result<PeerReply>& reply) {
  const bool asked_present_leader = leaders == leaders_;
  if (asked_present_leader) --asking_;
  if (!reply.ok() || !reply->answer.ok()) {
    if (!asked_present_leader) return;
    joined_ = true;
    state_.observer.on_rare("a question for the position failed");
    host_.on_leader_doubtful();
    return retry_.later();
  }
  answers_.push_back({round, reply->position.seq, reply->epoch, reply->incarnation});
  host_.on_announced(reply->position);
  if (joined_) ask_later();
}

// A number says nothing about a history that is longer than the leader's, and lost (H3): the
// leader's takeover must be part of this one, or of what came before its newest.
bool ReadIndex::shows(const Answer& answer) const {
  if (answer.epoch == state_.epoch && answer.leader != state_.leader) return false;
  return answer.epoch <= state_.epoch && answer.seq <= state_.applied.seq;
}

bool ReadIndex::on_applied() {
  const Round before = reached_;
  const bool ready_before = ready_;
  std::erase_if(answers_, [this](const Answer& answer) {
    if (answer.round <= reached_) return true;
    if (!shows(answer)) return false;
    reached_ = answer.round;
    // Not the greatest ever: a history that was lost may have been longer.
    needed_ = answer.seq;
    return true;
  });
  ready_ = state_.applied.seq >= needed_;
  return reached_ != before || ready_ != ready_before;
}

void ReadIndex::on_leader_known() {
  ++leaders_;
  // The former one may never answer; if it does, that still counts: it did lead when it was asked.
  if (std::exchange(asking_, 0) > 0) joined_ = true;
  if (joined_) ask_later();
}

}  // namespace lattice::replica
