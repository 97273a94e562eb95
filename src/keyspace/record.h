// A record is one durable change: what a batch in the log is made of. Everything that Lattice must
// remember is a record; replaying the records in order rebuilds a replica (DESIGN section 1).
// Thread: plain data.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/ids.h"

namespace lattice::keyspace {

// The numbers are stored; never renumber.
enum class RecordKind : uint8_t {
  put = 1,               // key, value, revision, sub, create_revision, version, lease
  tombstone = 2,         // key, revision, sub
  lease_grant = 3,       // lease, number = granted TTL in seconds
  lease_revoke = 4,      // lease; also an expiry. The deletes of its keys are records of their own
  lease_checkpoint = 5,  // lease, number = remaining TTL in seconds
  compact = 6,           // number = compact revision
  compact_done = 7,      // number = compact revision, version = hash of what survived at it
  takeover = 8,          // number = new epoch, value = incarnation (16 bytes), lease and version =
                         // the server's system identifier and timeline, 0 where it has none
  alarm_on = 9,          // number = alarm type, lease = member id
  alarm_off = 10,        // number = alarm type, lease = member id
  history_lost = 11,     // what was acknowledged up to revision `number` may be gone; value = the
                         // position that is no longer in the chain (seq, digest), or empty
  seal = 12,             // the log ends: value = the database that its tenant moved to, number =
                         // the routing epoch from which on it is there
  // Users and roles (src/auth/store.h): key = name, number = auth revision after the change.
  auth_user = 20,  // value = the password's hash and the roles, version = 1: no password,
                   // create_revision = auth revision since which the password holds
  auth_user_deleted = 21,
  auth_role = 22,  // value = the permissions
  auth_role_deleted = 23,
  auth_state = 24,  // version = 1: enabled, create_revision = the oldest auth revision whose
                    // simple tokens count
  // API tokens (docs/decisions/0014): key = id, number = auth revision at its place.
  auth_token = 25,  // value = hash, user, comment, roles; version = 1: read-only, create_revision =
                    // when it was made, lease = when it ends, 0: never (both seconds since 1970)
  auth_token_revoked = 26,
};

constexpr bool changes_key(RecordKind kind) {
  return kind == RecordKind::put || kind == RecordKind::tombstone;
}

// `revision` of a record that changes no key is the head revision at its place in the log, its
// `sub` is 0. `sub` orders the changes within one revision (etcd's sub-revision).
struct Record {
  RecordKind kind = RecordKind::put;
  Revision revision;
  int32_t sub = 0;
  Bytes key;
  Bytes value;
  Revision create_revision;
  int64_t version = 0;
  LeaseId lease;
  int64_t number = 0;
};

// Where a record lies in its log: batch and index within it.
struct RecordId {
  Seq seq;
  uint32_t index = 0;
  bool operator==(const RecordId&) const = default;
};

}  // namespace lattice::keyspace
