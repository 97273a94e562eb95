// Whether there is room for a write: the tenant's quota with its NOSPACE alarm, the CORRUPT alarm,
// and the limits on keys, values and leases. Decided at the leader, in the order of the log, on
// what its memory holds: so it does not depend on how a database stores things, and a batch cannot
// outgrow the quota between two looks at it.
//
// Thread: the replica's loop.
// Invariants: an alarm is a record of the log; between begin() and the end of that batch `alarms()`
//   is what they will be once the batch has committed.
#pragma once

#include <cstdint>
#include <vector>

#include "keyspace/record.h"
#include "keyspace/requests.h"
#include "replica/api.h"
#include "replica/state.h"

namespace lattice::replica {

class Capacity {
 public:
  // Raised alarms are added to `records`, which outlives this.
  Capacity(State& state, std::vector<keyspace::Record>& records)
      : state_(state), records_(records) {}

  // A batch begins.
  void begin() { alarms_ = state_.alarms; }

  // Errors of all: no_space, corrupt; request_too_large for a key or value above its limit;
  // resource_exhausted where a limit on keys or leases is met.
  Status admit(const keyspace::PutRequest& request);
  Status admit(const keyspace::TxnRequest& request);
  Status admit_grant();
  // A change that needs no room.
  Status admit_change() const;

  // Sets or clears an alarm; answers those that it concerns, as etcd does.
  std::vector<Alarm> change(const AlarmChange& change);
  const std::vector<Alarm>& alarms() const { return alarms_; }

 private:
  bool active(int32_t type) const;
  void record(keyspace::RecordKind kind, const Alarm& alarm);
  // Requires: cost > 0.
  Status admit_growth(int64_t cost);
  Status admit_keys(int64_t created) const;
  bool fits(const keyspace::PutRequest& request) const;
  bool fits(const std::vector<keyspace::RequestOp>& ops) const;

  State& state_;
  std::vector<keyspace::Record>& records_;
  std::vector<Alarm> alarms_;
};

// What etcd's quota counts for a request before it is let in; 0: the quota does not concern it.
int64_t quota_cost(const keyspace::PutRequest& request);
int64_t quota_cost(const keyspace::TxnRequest& request);

// What the tenant keeps, as the quota counts it: superseded versions that are not compacted, too.
int64_t quota_bytes_used(const State& state);

}  // namespace lattice::replica
