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

#include "replica/lifetime.h"
#include "replica/peers.h"
#include "replica/state.h"

namespace lattice::replica {

class ReadIndex {
 public:
  using Round = uint64_t;
  static constexpr Round none = 0;

  class Host {
   public:
    virtual ~Host() = default;
    // Where the leader can be asked; empty while that is not known.
    virtual std::string leader_address() const = 0;
    // The leader has answered: everything up to this position may be shown.
    virtual void on_announced(const Position& position) = 0;
    // The leader is not where it was thought to be.
    virtual void on_leader_doubtful() = 0;
  };

  // `peers` outlives this.
  ReadIndex(State& state, Peers& peers, Host& host) : state_(state), peers_(peers), host_(host) {}

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
  void retry_later();
  void on_reply(Round round, uint64_t leaders, const Result<PeerReply>& reply);

  State& state_;
  Peers& peers_;
  Host& host_;
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
  std::unique_ptr<Timer> retry_timer_;
};

}  // namespace lattice::replica
