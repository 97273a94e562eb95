// Keeps this process's session alive in a database that several share (log-protocol L1 to L3):
// opens a row for a fresh incarnation, renews it, and knows until when nobody can have declared it
// dead. One for all replicas of a process: the leadership of each of its tenants hangs on it, and
// all of them look at what others do by its clock.
//
// Thread: the replicas' loop.
// Ownership: outlives the replicas. Hosts are removed before they are destroyed, also in their
//   callbacks.
// Invariants: valid() counts from before the renewal that is known to have committed was sent, less
//   the drift margin (L2). An incarnation that was declared dead is never used again.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "replica/lifetime.h"
#include "replica/options.h"
#include "replica/poll_clock.h"
#include "replica/random.h"
#include "replica/sessions.h"

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
    virtual Announcement announcement() const = 0;
  };
  // Of the options, those of sessions and the node count. `sessions` and the environment outlive
  // this. `trouble` hears why the session could not be opened or renewed.
  SessionKeeper(Environment& environment, const Options& options, Sessions& sessions,
                std::function<void(const Status&)> trouble)
      : environment_(environment),
        random_(environment),
        node_(options.node),
        validity_(options.session_ttl - options.session_drift_margin),
        renewal_(options.session_renewal),
        sessions_(sessions),
        trouble_(std::move(trouble)),
        polls_(environment, options.poll_interval) {}

  // Once, before anything that follows.
  void start() { open(); }
  // Stops being valid at once, then lets others take over at once.
  void release(StatusCallback done);

  void add(Host& host) { hosts_.push_back(&host); }
  void remove(Host& host) { std::ranges::replace(hosts_, &host, nullptr); }

  bool valid() const { return open_ && environment_.now() < valid_until_; }
  // Nobody can have declared it dead before this moment. Requires: it is open.
  Instant valid_until() const { return open_ ? valid_until_ : Instant{INT64_MIN}; }
  Sessions& sessions() { return sessions_; }
  PollClock& polls() { return polls_; }
  const Incarnation& incarnation() const { return incarnation_; }

 private:
  void open();
  void renew();
  void on_renewed(Instant sent, const Status& status);
  void extend(Instant sent);
  void again(Instant sent, void (SessionKeeper::*step)());
  // What has changed since it was announced.
  std::vector<Announcement> news();
  template <class Call>
  void each_host(Call call);

  Environment& environment_;
  Random random_;
  const NodeInfo node_;
  const Duration validity_;
  const Duration renewal_;
  Sessions& sessions_;
  const std::function<void(const Status&)> trouble_;
  PollClock polls_;
  Lifetime lifetime_;
  std::vector<Host*> hosts_;        // null: removed
  std::map<LogId, Position> told_;  // what this incarnation has announced lately
  int renewals_until_repetition_ = 0;
  Incarnation incarnation_{};
  bool open_ = false;
  bool released_ = false;
  Instant valid_until_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace lattice::replica
