#include "replica/replica.h"

#include <chrono>
#include <utility>

namespace lattice::replica {
namespace {
constexpr Duration stop_limit = std::chrono::seconds(1);
constexpr Duration stop_interval = std::chrono::milliseconds(5);
}  // namespace

Replica::Replica(Options options, Environment& environment, std::unique_ptr<Log> log,
                 const Links& links, Observer* observer)
    : options_(std::move(options)),
      log_(std::move(log)),
      state_(options_, environment, *log_, observer != nullptr ? *observer : silent_),
      resolver_(state_),
      writes_(state_, resolver_, *this),
      reads_(state_, *this),
      point_reads_(state_, reads_),
      reader_(state_),
      hub_(state_, reads_),
      lease_keeper_(state_, writes_, reads_),
      compactor_(state_, writes_, [this](const Status& status) { on_failed(status); }),
      auto_compactor_(state_, compactor_),
      leadership_(state_, reader_, resolver_, links.sessions, *this) {}

// The log goes first: after that none of its callbacks can run.
Replica::~Replica() { log_.reset(); }

void Replica::start() { leadership_.start(); }

bool Replica::can_linearize() const { return !failed_ && !stopping_ && leadership_.fenced(); }

// ---- WriteQueue::Host, ReadQueue::Host ----

Patience Replica::patience() const {
  if (leadership_.other_leads()) return {options_.standby_wait, Error::no_leader};
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
      return can_linearize();
    case ReadQueue::Needs::settled:
      return can_linearize() && writes_.quiet();
  }
  return false;
}

void Replica::on_committed(const Batch& batch) {
  reader_.advance(batch.header);
  apply_effects();
}

// Batches were applied: watches and the compaction look at what is new.
void Replica::apply_effects() {
  hub_.distribute();
  if (told_compacted_ != state_.keyspace.compact_revision()) {
    told_compacted_ = state_.keyspace.compact_revision();
    hub_.on_compacted();
  }
  compactor_.wake(leads());
}

void Replica::on_settled() {
  lease_keeper_.on_settled();
  if (!reads_.empty()) reads_.wake();
}

// ---- Leadership::Host ----

void Replica::on_leading() {
  loaded_ = true;
  compactor_.wake(true);
  hub_.on_leading();
  lease_keeper_.on_leading();
  auto_compactor_.on_leading();
  reads_.wake();
  writes_.schedule();
}

void Replica::on_stepped_down(const Status& status) {
  if (!reader_.loaded()) {
    loaded_ = false;
    compactor_.reset();
  }
  auto_compactor_.on_stepped_down();
  compactor_.on_stepped_down(status);
  lease_keeper_.on_stepped_down(status);
  hub_.on_stepped_down(status);
  writes_.abandon(status);
}

void Replica::on_caught_up() {
  apply_effects();
  writes_.resume();
}

void Replica::on_progress() {
  if (!loaded_ && reader_.loaded()) {
    if (Status status = compactor_.verify_loaded(); !status.ok()) return on_failed(status);
    loaded_ = true;
  }
  compactor_.wake(leads());
  reads_.wake();
  writes_.schedule();
}

void Replica::on_failed(const Status& status) {
  if (std::exchange(failed_, true)) return;
  state_.observer.on_failed(status);
  on_stepped_down(Error::corrupt);
  reads_.close({Error::corrupt, status.detail()});
  writes_.close({Error::unhealthy, status.detail()});
  // Others, whose state may be sound, can take over.
  leadership_.stop([](const Status&) {});
}

// ---- Stopping ----

void Replica::stop(StatusCallback done) {
  stopping_ = true;
  reads_.close(Error::stopped);
  hub_.on_stepped_down(Error::stopped);
  finish_stop(std::move(done), state_.environment.now() + stop_limit);
}

void Replica::finish_stop(StatusCallback done, Instant give_up) {
  const bool waits = resolver_.busy() || writes_.waiting() > 0;
  if (waits && state_.environment.now() < give_up) {
    stop_timer_ =
        state_.environment.after(stop_interval, [this, give_up, done = std::move(done)]() mutable {
          finish_stop(std::move(done), give_up);
        });
    return;
  }
  on_stepped_down(Error::stopped);
  writes_.close(Error::stopped);
  leadership_.stop(std::move(done));
}

}  // namespace lattice::replica
