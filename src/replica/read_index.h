// Linearizable reads at a replica that does not lead: the leader is asked for its position, once
// for all reads that arrived before the question was sent, and they are answered here when what was
// known to be committed then is applied (log-protocol S2). etcd calls it ReadIndex.
//
// Reads belong to rounds. An answer to the question of a round covers all earlier rounds too,
// because it was asked after their reads had arrived; so a question that fails is simply asked
// again as a younger one.
//
// Thread: the replica's loop.
// Invariants: a round is reached only by the answer to a question that was sent after join() had
//   answered its number.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "replica/leader_host.h"
#include "replica/lifetime.h"
#include "replica/peers.h"
#include "replica/state.h"

namespace lattice::replica {

class ReadIndex {
 public:
  using Round = uint64_t;
  static constexpr Round none = 0;

  // `peers` and `host` outlive this.
  ReadIndex(State& state, Peers& peers, LeaderHost& host)
      : state_(state), peers_(peers), host_(host) {}

  // The round of a read that arrives now.
  Round join();
  bool reached(Round round) const {
    return round != none && round <= reached_ && state_.applied.seq >= needed_;
  }
  // More is applied. Answers whether more rounds are reached.
  bool on_applied();
  // Another leader, or an address for it: what waits is asked again.
  void on_leader_known();

 private:
  struct Answer {
    Round round;
    Seq seq;
    Epoch epoch;  // whose takeover it was given under
    Incarnation leader;
  };
  bool shows(const Answer& answer) const;
  void ask_later();
  void ask();
  void on_reply(Round round, uint64_t leaders, const Result<PeerReply>& reply);

  State& state_;
  Peers& peers_;
  LeaderHost& host_;
  Lifetime lifetime_;
  Round joining_ = 1;
  bool joined_ = false;  // somebody has joined the round that is not asked for yet
  bool scheduled_ = false;
  size_t asking_ = 0;            // questions to the present leader without an answer
  uint64_t leaders_ = 0;         // how often it has changed
  std::vector<Answer> answers_;  // not applied yet
  Round reached_ = none;
  Seq needed_;  // what must be applied for it: the state may be read again from its beginning
  bool ready_ = true;  // it was, when on_applied() looked last
  LeaderRetry retry_{state_.environment, [this] { ask(); }};
};

}  // namespace lattice::replica
