// How a log ends: its tenant moves to another database (log-protocol H4, docs/decisions/0020). The
// leader stops leading, lets what it has appended come to its outcome, and then says in one batch
// that nobody leads any more and where the tenant went. Also the other end: a replica of the copy,
// which reads along and leads nobody until the tenant has arrived.
#include <chrono>
#include <utility>

#include "replica/leadership.h"

namespace lattice::replica {
namespace {
constexpr Duration quiet_interval = std::chrono::milliseconds(2);
}  // namespace

void Leadership::seal(const Seal& seal, StatusCallback done) {
  if (reader_.seal()) return done({});
  if (!leads() || session_ == nullptr || sealed_) return done(Error::not_leader);
  sealing_ = seal;
  sealed_ = std::move(done);
  // First nothing is fenced any more, then the log is told (L5).
  step_down(Error::leader_changed);
  append_seal();
}

void Leadership::append_seal() {
  if (!sealed_) return;
  if (role_ != Role::following || leader() != session_->incarnation()) {
    return end_seal(Error::not_leader);
  }
  if (!host_.quiet() || resolver_.busy() || reader_.reading()) {
    seal_timer_ = state_.environment.after(quiet_interval, [this] { append_seal(); });
    return;
  }
  enter(Role::taking_over);
  const std::shared_ptr<const Batch> batch = make_seal(state_, reader_.tip(), sealing_);
  const Batch& content = *batch;  // kept alive by the callback
  resolver_.append(batch,
                   [this, batch, &content](AppendResolver::Verdict verdict, const Status& detail) {
                     on_seal(content, verdict, detail);
                   });
}

void Leadership::on_seal(const Batch& batch, AppendResolver::Verdict verdict,
                         const Status& detail) {
  const bool committed = verdict == AppendResolver::Verdict::committed;
  if (role_ == Role::stopped && committed) reader_.advance(batch.header);  // it names nobody
  if (role_ == Role::taking_over) {
    enter(Role::following);
    if (committed) {
      state_.observer.on_rare("a leader sealed its log");
      if (Status status = reader_.release(batch.header.position()); !status.ok()) reload(status);
    } else if (verdict == AppendResolver::Verdict::lost) {
      reload(detail);
    }
    if (role_ == Role::following) follow_later(Duration{});
  }
  end_seal(committed ? Status() : Error::not_leader);
}

void Leadership::end_seal(const Status& status) {
  seal_timer_.reset();
  if (sealed_) std::exchange(sealed_, nullptr)(status);
}

void Leadership::open() {
  if (!std::exchange(held_, false)) return;
  look();
}

}  // namespace lattice::replica
