// Keeps this process's session alive in a database that several share (log-protocol L1 to L3):
// opens a row for a fresh incarnation, renews it, and knows until when nobody can have declared it
// dead.
//
// Thread: the replica's loop.
// Invariants: valid() counts from before the renewal that is known to have committed was sent, less
//   the drift margin (L2). An incarnation that was declared dead is never used again.
#pragma once

#include <memory>

#include "replica/lifetime.h"
#include "replica/random.h"
#include "replica/sessions.h"
#include "replica/state.h"

namespace lattice::replica {

class SessionKeeper {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    // Valid from now on, or for longer. `lapsed`: for a while it was not.
    virtual void on_session_extended(bool lapsed) = 0;
    // Somebody declared it dead; a new incarnation is being opened.
    virtual void on_session_dead() = 0;
    // What the next renewal tells others to be committed; seq 0: nothing.
    virtual Position announced() const = 0;
  };

  // `sessions` outlives this.
  SessionKeeper(State& state, Sessions& sessions, Host& host)
      : state_(state), sessions_(sessions), host_(host) {}

  void start();
  // Stops being valid at once, then lets others take over at once.
  void release(StatusCallback done);

  bool valid() const { return open_ && state_.environment.now() < valid_until_; }
  // Nobody can have declared it dead before this moment. Requires: it is open.
  Instant valid_until() const { return valid_until_; }
  Sessions& sessions() { return sessions_; }
  // Requires: valid() was true for it once; all zeroes before.
  const Incarnation& incarnation() const { return incarnation_; }

 private:
  void open();
  void renew();
  void on_renewed(Instant sent, const Status& status);
  void extend(Instant sent);
  void again(Instant sent, void (SessionKeeper::*step)());

  State& state_;
  Sessions& sessions_;
  Host& host_;
  Lifetime lifetime_;
  Incarnation incarnation_{};
  bool open_ = false;
  bool released_ = false;
  Instant valid_until_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace lattice::replica
