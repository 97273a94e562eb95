// Calls from one replica of a tenant to another, which is at another process: forwarded writes,
// lease calls, and the question for the position (log-protocol S2, S3). src/peer/ implements it on
// HTTP/2; the simulator has a network that loses calls, answers and nodes.
//
// Thread: the replica's loop; callbacks there, never inside the call, each exactly once. After the
//   Peers is destroyed no callback runs.
// Ownership: requests are moved in, results are values that stay valid.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "absl/functional/any_invocable.h"
#include "auth/types.h"
#include "base/callback.h"
#include "base/ids.h"
#include "base/time.h"
#include "keyspace/requests.h"
#include "replica/api.h"
#include "replica/batch.h"

namespace lattice::replica {

// Up to where the leader knows the log to be committed. Answered under the read fence.
struct PositionCall {};
// Answered when it is committed. Who asked for a physical one waits for that where it asked.
struct CompactCall {
  Revision revision;
};
struct LeaseGrantCall {
  LeaseId id;  // 0: the leader picks one
  int64_t ttl_seconds = 0;
};
struct LeaseRevokeCall {
  LeaseId id;
};
struct LeaseKeepAliveCall {
  LeaseId id;
};
struct LeaseTimeToLiveCall {
  LeaseId id;
  bool keys = false;
};
struct LeaseLeasesCall {};
struct AlarmCall {
  AlarmChange change;
};
// From a leader that has stepped down behind this position: take over, now (MoveLeader).
struct TakeOverCall {
  Position tip;
};
// From a replica that has applied what the log no longer contains: up to `revision` it was
// acknowledged. The leader looks for itself, and ends the history (H3).
struct WitnessCall {
  Position position;
  Revision revision;
};

using PeerCall = std::variant<PositionCall, keyspace::PutRequest, keyspace::DeleteRangeRequest,
                              keyspace::TxnRequest, CompactCall, LeaseGrantCall, LeaseRevokeCall,
                              LeaseKeepAliveCall, LeaseTimeToLiveCall, LeaseLeasesCall,
                              TakeOverCall, WitnessCall, AlarmCall, auth::Change>;

// The answer to the call of the same index: nothing for those that have no result here.
using PeerAnswer =
    std::variant<std::monostate, keyspace::PutResult, keyspace::DeleteRangeResult,
                 keyspace::TxnResult, Revision, LeaseGrantResult, LeaseKeepAliveResult,
                 LeaseTimeToLiveResult, LeaseLeasesResult, AlarmResult>;

// Takes the answer to any call, and hands on the one that is an Answer.
template <class Answer>
Callback<PeerAnswer> out_of(Callback<Answer> done) {
  return [done = std::move(done)](Result<PeerAnswer> answer) mutable {
    if (!answer.ok()) return done(answer.status());
    Answer* mine = std::get_if<Answer>(&*answer);
    mine == nullptr ? done(Status(Error::internal)) : done(std::move(*mine));
  };
}

struct PeerRequest {
  PeerCall call;
  Duration patience{};          // what is left of the caller's; the peer gives up after it
  auth::CallerRef caller = {};  // whom the leader judges
};

struct PeerReply {
  // Who answers, and what it knows to be committed and has applied: everything up to `position` may
  // be shown (S1), and the answer's effects are at or below it.
  Epoch epoch;
  Incarnation incarnation{};
  Position position;
  // The error not_leader: the call was not queued, or has certainly no effect; another node may
  // have it. Anything else is for the caller.
  Result<PeerAnswer> answer = Error::internal;
};

class Peers {
 public:
  virtual ~Peers() = default;
  // At most once (S3). Errors: unsent, when no byte of the call can have reached the peer;
  // timeout_connection_lost, when it may have, and no answer will come any more.
  virtual void call(const std::string& address, PeerRequest request, Callback<PeerReply> done) = 0;
};

// What a replica is to its peers.
class PeerService {
 public:
  virtual ~PeerService() = default;
  virtual void serve(PeerRequest request, absl::AnyInvocable<void(PeerReply)> done) = 0;
};

}  // namespace lattice::replica
