// What needs the leader, at a replica that does not lead: waits here until somebody leads, travels
// there, and is answered here when its effects are applied here too, so that a client which reads
// at this node afterwards sees what it wrote.
//
// Thread: the replica's loop.
// Ownership: owns the calls until they are answered, each exactly once.
// Invariants: a call is sent again only when it was certainly without effect: never delivered, or
//   refused with not_leader (log-protocol S3). Otherwise its caller is told that nobody knows.
// Bounds: options.proposals_max calls.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "replica/leader_host.h"
#include "replica/lifetime.h"
#include "replica/peers.h"
#include "replica/state.h"

namespace lattice::replica {

// A call with its caller.
struct ForwardedCall {
  Instant since;
  PeerCall call;
  Callback<PeerAnswer> done;
  auth::CallerRef caller = {};
};

class Forwarder {
 public:
  // `peers` and `host` outlive this.
  Forwarder(State& state, Peers& peers, LeaderHost& host)
      : state_(state), peers_(peers), host_(host) {}

  template <class Answer>
  void add(PeerCall call, Callback<Answer> done, auth::CallerRef caller) {
    add({state_.environment.now(), std::move(call), out_of(std::move(done)), std::move(caller)});
  }
  void add(ForwardedCall call);
  // Another leader, or an address for it.
  void on_leader_known() { send_waiting(); }
  // More is applied.
  void on_applied();
  // What was not sent; this replica leads now and answers it itself.
  std::vector<ForwardedCall> take_waiting();
  // Answers what was not sent with `status`, now and from now on; the rest when it comes back.
  void close(const Status& status);

 private:
  struct Answered {
    Seq seq;
    Instant since;
    absl::AnyInvocable<void()> tell;
  };
  void send_waiting();
  void send(ForwardedCall call, const std::string& address);
  void on_reply(ForwardedCall call, Result<PeerReply> reply);
  void arm_sweep();
  void sweep();

  State& state_;
  Peers& peers_;
  LeaderHost& host_;
  Lifetime lifetime_;
  std::deque<ForwardedCall> waiting_;
  std::deque<Answered> answered_;  // their effects are not applied yet
  size_t sent_ = 0;
  bool doubtful_ = false;  // the leader has refused; what waits is sent again a little later
  Status closed_;
  std::unique_ptr<Timer> sweep_timer_;
  LeaderRetry retry_{state_.environment, [this] { send_waiting(); }};
};

}  // namespace lattice::replica
