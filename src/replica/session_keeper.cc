#include "replica/session_keeper.h"

#include <algorithm>
#include <utility>

#include "base/planted.h"

namespace lattice::replica {

void SessionKeeper::start() { open(); }

void SessionKeeper::open() {
  // Also after an open of unknown outcome: its row may appear later, and nobody will renew it.
  incarnation_ = state_.random.incarnation();
  open_ = false;
  const Instant sent = state_.environment.now();
  sessions_.open(incarnation_, state_.options.node,
                 lifetime_.guard([this, sent](const Status& status) {
                   if (released_) return;
                   if (!status.ok()) {
                     state_.observer.on_session_trouble(status);
                     return again(sent, &SessionKeeper::open);
                   }
                   open_ = true;
                   extend(sent);
                 }));
}

void SessionKeeper::renew() {
  const Instant sent = state_.environment.now();
  sessions_.renew(incarnation_, host_.announced(),
                  lifetime_.guard([this, sent](const Status& status) {
                    if (!released_) on_renewed(sent, status);
                  }));
}

void SessionKeeper::on_renewed(Instant sent, const Status& status) {
  if (status.ok()) return extend(sent);
  state_.observer.on_session_trouble(status);
  if (status.error() == Error::not_leader) {
    open();
    return host_.on_session_dead();
  }
  again(sent, &SessionKeeper::renew);
}

void SessionKeeper::extend(Instant sent) {
  const bool lapsed = !valid();
  if (planted(Planted::session_counted_from_reply)) sent = state_.environment.now();
  valid_until_ = sent + (state_.options.session_ttl - state_.options.session_drift_margin);
  again(sent, &SessionKeeper::renew);
  if (valid()) host_.on_session_extended(lapsed);
}

void SessionKeeper::again(Instant sent, void (SessionKeeper::*step)()) {
  // Counted from when the last one was sent, so that a slow database does not stretch the interval.
  const Duration passed = state_.environment.now() - sent;
  const Duration delay = std::max(Duration{}, state_.options.session_renewal - passed);
  timer_ = state_.environment.after(delay, [this, step] { (this->*step)(); });
}

void SessionKeeper::release(StatusCallback done) {
  released_ = true;
  open_ = false;
  timer_.reset();
  sessions_.release(incarnation_, std::move(done));
}

}  // namespace lattice::replica
