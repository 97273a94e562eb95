// One operation on its way through a batch: the request, what evaluation answered, and whom to
// tell. The request is kept until its batch is durable, because a rejected batch is evaluated
// again. Thread: the replica's loop. Ownership: moved from queue to batch.
#pragma once

#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "auth/types.h"
#include "base/callback.h"
#include "keyspace/requests.h"
#include "replica/api.h"

namespace lattice::replica {

template <class Asked, class Answered>
struct Operation {
  using Answer = Answered;
  Asked request;
  Callback<Answered> done;  // empty once answered
  std::optional<Result<Answered>> answer;
};

struct CompactRequest {
  Revision revision;
};
struct GrantRequest {
  LeaseId id;  // 0: pick one
  int64_t ttl_seconds = 0;
};
struct RevokeRequest {
  LeaseId id;
  // An expiry: has no effect if the lease is not expired when its batch is evaluated. It may have
  // waited for long, and the lease may be another one by now.
  bool if_expired = false;
};
struct CheckpointRequest {
  std::vector<lease::LeaseTable::Checkpoint> checkpoints;
};
struct CompactDoneRequest {
  Revision revision;
  uint32_t hash = 0;
};

using PutOperation = Operation<keyspace::PutRequest, keyspace::PutResult>;
using DeleteOperation = Operation<keyspace::DeleteRangeRequest, keyspace::DeleteRangeResult>;
using TxnOperation = Operation<keyspace::TxnRequest, keyspace::TxnResult>;
using CompactOperation = Operation<CompactRequest, Revision>;
using GrantOperation = Operation<GrantRequest, LeaseGrantResult>;
using RevokeOperation = Operation<RevokeRequest, Revision>;
using CheckpointOperation = Operation<CheckpointRequest, Revision>;
using CompactDoneOperation = Operation<CompactDoneRequest, Revision>;
using AlarmOperation = Operation<AlarmChange, AlarmResult>;
using AuthOperation = Operation<auth::Change, Revision>;

// Who proposed it, which decides where it goes when this replica leads no longer.
enum class Origin : uint8_t {
  client,    // of this process: to the next leader
  peer,      // forwarded once, which is enough
  internal,  // the leader's own upkeep: its successor has its own
};

// Whom a proposal comes from: `caller` is judged when it is evaluated, unless it is internal.
struct Sender {
  Sender(Origin from, auth::CallerRef named = {})  // NOLINT: an Origin is an anonymous Sender
      : origin(from), caller(std::move(named)) {}
  Origin origin;
  auth::CallerRef caller;
};

struct Proposal {
  Instant since;
  Origin origin = Origin::client;
  auth::CallerRef caller;
  std::variant<PutOperation, DeleteOperation, TxnOperation, CompactOperation, GrantOperation,
               RevokeOperation, CheckpointOperation, CompactDoneOperation, AlarmOperation,
               AuthOperation>
      operation;

  // Tells the caller what evaluation answered. At most one of answer() and refuse() has an effect.
  void answer() {
    std::visit(
        [](auto& op) {
          if (auto done = std::exchange(op.done, nullptr)) done(std::move(*op.answer));
        },
        operation);
  }
  void refuse(const Status& status) {
    std::visit(
        [&](auto& op) {
          if (auto done = std::exchange(op.done, nullptr)) done(status);
        },
        operation);
  }
};

}  // namespace lattice::replica
