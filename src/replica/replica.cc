#include "replica/replica.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/planted.h"

namespace lattice::replica {
namespace {
constexpr Duration stop_limit = std::chrono::seconds(1);
constexpr Duration stop_interval = std::chrono::milliseconds(5);
constexpr Duration drain_limit = std::chrono::milliseconds(250);
constexpr Duration drain_interval = std::chrono::milliseconds(2);
}  // namespace

Replica::Replica(Options options, Environment& environment, std::unique_ptr<Log> log,
                 const Links& links, Observer* observer)
    : options_(std::move(options)),
      links_(links),
      log_(std::move(log)),
      state_(options_, environment, *log_, observer != nullptr ? *observer : silent_),
      resolver_(state_),
      writes_(state_, resolver_, *this),
      reads_(state_, *this),
      point_reads_(state_, reads_),
      reader_(state_,
              [this] {
                if (loaded_) apply_effects();
              }),
      announcer_(state_, reader_, links.fanout, links.keyring, *this),
      hub_(state_, reads_, [this] { writes_.schedule(); }),
      lease_keeper_(state_, writes_, reads_),
      compactor_(state_, writes_, [this](const Status& status) { on_failed(status); }),
      auto_compactor_(state_, compactor_),
      leadership_(state_, reader_, resolver_, links.session, *this) {
  if (links.peers == nullptr) return;
  LeaderHost& host = *this;  // a private base, which make_unique may not convert to
  read_index_ = std::make_unique<ReadIndex>(state_, *links.peers, host);
  forwarder_ = std::make_unique<Forwarder>(state_, *links.peers, host);
}

// The log goes first: after that none of its callbacks can run.
Replica::~Replica() { log_.reset(); }

void Replica::start() {
  announcer_.start();
  leadership_.start();
}

bool Replica::can_linearize() const { return !failed_ && !stopping_ && leadership_.fenced(); }

bool Replica::serves_linearizable() const {
  if (!reads_.bound().ok()) return false;
  if (leads()) return can_linearize();
  return loaded() && !stopping_ && leadership_.other_leads() && forwarder_ != nullptr &&
         !leader_address().empty();
}

// ---- WriteQueue::Host, ReadQueue::Host ----

Patience Replica::patience() const {
  // Where the leader cannot be asked, waiting for it would be in vain.
  if (forwarder_ == nullptr && leadership_.other_leads()) {
    return {options_.standby_wait, Error::no_leader};
  }
  return {options_.request_timeout, Error::no_leader};
}

Patience Replica::read_patience() const {
  return leads() ? Patience{options_.request_timeout, Error::timeout} : patience();
}

bool Replica::meets(ReadQueue::Needs needs) const {
  switch (needs) {
    case ReadQueue::Needs::loaded:
      return loaded();
    case ReadQueue::Needs::linearizable:
      if (planted(Planted::follower_read_unfenced) && !leads() && loaded()) return true;
      return can_linearize();
    case ReadQueue::Needs::leading:
      return can_linearize();
    case ReadQueue::Needs::settled:
      return can_linearize() && writes_.quiet();
  }
  return false;
}

ReadIndex::Round Replica::join_round() {
  return leads() || read_index_ == nullptr ? ReadIndex::none : read_index_->join();
}

bool Replica::round_reached(ReadIndex::Round round) const {
  return read_index_ != nullptr && loaded() && !stopping_ && read_index_->reached(round);
}

void Replica::on_committed(const Batch& batch) {
  reader_.advance(batch.header);
  apply_effects();
  if (leads()) announcer_.publish(batch);
}

// Batches were applied: watches and the compaction look at what is new.
void Replica::apply_effects() {
  shown_ = std::max(shown_, state_.keyspace.visible_revision());
  if (told_users_ != state_.auth.changes()) {
    told_users_ = state_.auth.changes();
    hub_.on_users_changed();
  }
  hub_.distribute();
  if (told_base_ != state_.history_base) {
    told_base_ = state_.history_base;
    if (!planted(Planted::watches_survive_jump)) hub_.on_history_lost();
  }
  if (told_compacted_ != state_.keyspace.compact_revision()) {
    told_compacted_ = state_.keyspace.compact_revision();
    hub_.on_compacted();
  }
  compactor_.wake(leads());
  if (forwarder_ != nullptr) forwarder_->on_applied();
  if (read_index_ != nullptr && read_index_->on_applied()) reads_.wake();
}

void Replica::on_settled() {
  if (away() != nullptr) reroute();
  lease_keeper_.on_settled();
  if (!reads_.empty()) reads_.wake();
}

void Replica::on_announced(const Position& position) {
  leadership_.on_announced(position);
  // Also if that was known before: an answer may have waited for nothing else.
  if (read_index_ != nullptr && read_index_->on_applied()) reads_.wake();
}

// ---- Leadership::Host ----

void Replica::on_leading() {
  if (!finish_load()) return;
  apply_effects();
  announcer_.announce();
  lease_keeper_.on_leading();
  auto_compactor_.on_leading();
  reads_.wake();
  if (forwarder_ != nullptr) {
    for (ForwardedCall& call : forwarder_->take_waiting()) {
      run_here(std::move(call.call), {Origin::client, std::move(call.caller)},
               std::move(call.done));
    }
  }
  writes_.schedule();
}

void Replica::on_stepped_down(const Status& status) {
  if (!reader_.loaded()) {
    loaded_ = false;
    compactor_.reset();
  }
  // Watches need no leader: only what was shown must stay as it was.
  if (!loaded() || stopping_) hub_.close(status);
  auto_compactor_.on_stepped_down();
  compactor_.on_stepped_down();
  lease_keeper_.on_stepped_down(status);
  if (away() != nullptr) {
    reroute();
    reads_.refuse_leading(Error::not_leader);
    reads_.wake();
  }
  writes_.abandon(status);
}

void Replica::on_caught_up() {
  apply_effects();
  writes_.resume();
}

bool Replica::finish_load() {
  if (loaded_ || !reader_.loaded()) return true;
  // Read again, the log shows no more than others have announced: perhaps less than was shown.
  if (!leads() && state_.keyspace.visible_revision() < shown_) return false;
  if (Status status = compactor_.verify_loaded(); !status.ok()) {
    on_failed(status);
    return false;
  }
  loaded_ = true;
  told_base_ = state_.history_base;
  told_users_.reset();
  hub_.serve();
  reads_.wake();
  return true;
}

void Replica::on_progress() {
  if (!finish_load()) return;
  apply_effects();
  if (planted(Planted::two_reapers) && away() != nullptr) {
    for (const LeaseId id : state_.leases.expired(state_.environment.now(), 1)) {
      lease_revoke(id, [](const Result<Revision>&) {});
    }
  }
  if (!leads()) return;
  reads_.wake();
  writes_.schedule();
}

void Replica::on_leader_known() {
  if (read_index_ == nullptr) return;
  if (planted(Planted::two_reapers)) state_.leases.take_over(state_.environment.now());
  read_index_->on_leader_known();
  forwarder_->on_leader_known();
  reads_.wake();
}

void Replica::on_failed(const Status& status) {
  if (std::exchange(failed_, true)) return;
  state_.observer.on_failed(status);
  on_stepped_down(Error::corrupt);
  reads_.close({Error::corrupt, status.detail()});
  compactor_.close({Error::corrupt, status.detail()});
  if (forwarder_ != nullptr) forwarder_->close({Error::corrupt, status.detail()});
  const Status unhealthy(Error::unhealthy, status.detail());
  writes_.close(unhealthy, unhealthy);
  // Others, whose state may be sound, can take over.
  leadership_.stop(Instant::never(), [](const Status&) {});
}

// ---- Stopping ----

void Replica::seal(const Seal& seal, StatusCallback done) {
  drain_to_seal(seal, std::move(done), state_.environment.now() + drain_limit);
}

void Replica::drain_to_seal(const Seal& seal, StatusCallback done, Instant give_up) {
  const bool waits = leads() && !failed_ && (!writes_.quiet() || writes_.waiting() > 0);
  if (!waits || state_.environment.now() >= give_up) {
    return leadership_.seal(seal, lifetime_.guard(std::move(done)));
  }
  drain_timer_ = state_.environment.after(drain_interval,
                                          [this, seal, done = std::move(done), give_up]() mutable {
                                            drain_to_seal(seal, std::move(done), give_up);
                                          });
}

void Replica::stop(StatusCallback done, Error untouched) {
  stopping_ = true;
  reads_.close(untouched);
  if (forwarder_ != nullptr) forwarder_->close(untouched);
  hub_.close(Error::stopped);
  finish_stop(std::move(done), untouched, state_.environment.now() + stop_limit);
}

void Replica::finish_stop(StatusCallback done, Error untouched, Instant give_up) {
  const bool waits = resolver_.busy() || writes_.waiting() > 0;
  if (waits && state_.environment.now() < give_up) {
    stop_timer_ = state_.environment.after(
        stop_interval, [this, untouched, give_up, done = std::move(done)]() mutable {
          finish_stop(std::move(done), untouched, give_up);
        });
    return;
  }
  on_stepped_down(Error::stopped);
  compactor_.close(Error::stopped);
  writes_.close(Error::stopped, untouched);
  leadership_.stop(state_.environment.now() + stop_limit,
                   lifetime_.guard([this, done = std::move(done)](const Status& status) mutable {
                     announcer_.leave();
                     announcer_.stop();
                     done(status);
                   }));
}

}  // namespace lattice::replica
