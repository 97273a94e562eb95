// What the etcd services ask of a tenant. Replica implements it on its own loop; RemoteApi
// (remote_api.h) implements it on every other loop by sending messages, in batches, to the owner.
//
// Thread: one loop; callbacks on that same loop, possibly inside the call (a read that can be
//   answered from memory is).
// Ownership: requests are moved in; results are values that stay valid.
// Callers: whom the call's credentials name. Without any it is refused once authentication is on.
// Errors: Status values from base/status.h; a write that may have landed is only ever answered with
//   one of the Unavailable family (timeout, stopped, ...).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "auth/types.h"
#include "base/callback.h"
#include "base/ids.h"
#include "base/time.h"
#include "keyspace/requests.h"
#include "lease/lease_table.h"
#include "replica/node_info.h"
#include "replica/watch.h"

namespace lattice::replica {

struct LeaseGrantResult {
  Revision header_revision;
  LeaseId id;
  int64_t ttl_seconds = 0;
};
struct LeaseKeepAliveResult {
  Revision header_revision;  // taken before the renewal, as etcd does
  int64_t ttl_seconds = 0;   // 0: no such lease
};
struct LeaseTimeToLiveResult {
  Revision header_revision;
  bool found = false;  // etcd answers TTL -1 otherwise
  lease::LeaseInfo info;
  std::vector<std::string> keys;
};
struct LeaseLeasesResult {
  Revision header_revision;
  std::vector<lease::LeaseInfo> leases;
};
// etcd's AlarmType; clients may set others, which mean nothing.
inline constexpr int32_t alarm_no_space = 1;
inline constexpr int32_t alarm_corrupt = 2;
struct Alarm {
  uint64_t member_id = 0;
  int32_t type = 0;
  bool operator==(const Alarm&) const = default;
};
struct AlarmChange {
  bool raise = false;  // else: clear
  Alarm alarm;
};
struct AlarmResult {
  Revision header_revision;
  std::vector<Alarm> alarms;  // that were set or cleared; one that was set before is among them
};
struct Member {
  NodeInfo node;
  bool leads = false;
  bool self = false;
};
struct StatusResult {
  Revision header_revision;
  bool leader = false;      // this replica leads
  bool has_leader = false;  // somebody does
  NodeInfo leader_node;     // who, if that is known
  uint64_t epoch = 0;
  uint64_t seq = 0;  // of the newest applied batch
  int64_t allocated_bytes = 0;
  int64_t in_use_bytes = 0;
  std::vector<Alarm> alarms;
};

// When an operation came to its parts, for the line about a slow one; never: it did not.
struct OperationTimes {
  Instant asked = Instant::never();      // the replica took it
  Instant submitted = Instant::never();  // its batch was evaluated and went to the log
  Instant settled = Instant::never();    // the batch is durable; of a read: its fence was there
};

class Api {
 public:
  virtual ~Api() = default;

  // Of the operation whose callback is running, where that is known.
  virtual OperationTimes times() const { return {}; }

  // The revision and epoch that a response header carries when nothing else says so.
  virtual Revision applied_revision() const = 0;
  virtual uint64_t epoch() const = 0;
  // Whether anybody leads, as far as this process knows now: what calls that carry etcd's
  // `hasleader` metadata are checked against before they start.
  virtual bool has_leader() const = 0;

  virtual void range(keyspace::RangeRequest request, Callback<keyspace::RangeResult> done,
                     auth::CallerRef caller = {}) = 0;
  virtual void put(keyspace::PutRequest request, Callback<keyspace::PutResult> done,
                   auth::CallerRef caller = {}) = 0;
  virtual void delete_range(keyspace::DeleteRangeRequest request,
                            Callback<keyspace::DeleteRangeResult> done,
                            auth::CallerRef caller = {}) = 0;
  virtual void txn(keyspace::TxnRequest request, Callback<keyspace::TxnResult> done,
                   auth::CallerRef caller = {}) = 0;
  // Answers the current revision; physical waits until the superseded records are deleted, and only
  // the caller limits for how long.
  virtual void compact(Revision revision, bool physical, Callback<Revision> done,
                       auth::CallerRef caller = {}) = 0;

  // id 0: the server picks one.
  virtual void lease_grant(LeaseId id, int64_t ttl_seconds, Callback<LeaseGrantResult> done,
                           auth::CallerRef caller = {}) = 0;
  virtual void lease_revoke(LeaseId id, Callback<Revision> done, auth::CallerRef caller = {}) = 0;
  virtual void lease_keep_alive(LeaseId id, Callback<LeaseKeepAliveResult> done,
                                auth::CallerRef caller = {}) = 0;
  virtual void lease_time_to_live(LeaseId id, bool keys, Callback<LeaseTimeToLiveResult> done,
                                  auth::CallerRef caller = {}) = 0;
  virtual void lease_leases(Callback<LeaseLeasesResult> done, auth::CallerRef caller = {}) = 0;

  // Users and roles, as etcd's Auth service changes and shows them. A change answers the revision.
  virtual void auth_change(auth::Change change, Callback<Revision> done,
                           auth::CallerRef caller = {}) = 0;
  virtual void auth_query(auth::Query query, Callback<auth::Answer> done,
                          auth::CallerRef caller = {}) = 0;

  virtual void alarm(AlarmChange change, Callback<AlarmResult> done,
                     auth::CallerRef caller = {}) = 0;

  // From here on nobody is judged: services ask auth_query() for what only root may do.
  virtual void status(Callback<StatusResult> done) = 0;
  // The processes that serve this tenant now, this one first.
  virtual void members(Callback<std::vector<Member>> done) = 0;
  // Hands the leadership to the member with this address; answered when it has it. Errors:
  // not_leader, unless this replica leads; timeout, when the other did not take it.
  virtual void move_leader(std::string address, StatusCallback done) = 0;
  virtual void hash_kv(Revision revision, Callback<keyspace::HashResult> done) = 0;
  virtual void defragment(StatusCallback done) = 0;

  // A stream of watches. The sink must outlive the stream; destroying the stream ends all its
  // watches and no call to the sink follows.
  [[nodiscard]] virtual std::unique_ptr<WatchStream> open_watch_stream(WatchSink& sink) = 0;
};

}  // namespace lattice::replica
