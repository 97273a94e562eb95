// Users, roles, API tokens and whether they count, as the log's records make them: changes are
// staged, become records, and count for others once they are committed (keyspace.h does the same
// for keys).
//
// A record of a user, role or token holds all of it, so that the newest of each name is enough; a
// record of the state follows every change of users and roles, and keeps the auth revision. Tokens
// leave that as it is: it ends JWTs.
//
// Thread: one; the owner's. Pure: no I/O, no clock, no randomness.
// Invariants: staged() is visible() unless something is staged.
#pragma once

#include <memory>
#include <vector>

#include "auth/tables.h"
#include "keyspace/record.h"

namespace lattice::auth {

class Store {
 public:
  Store() : visible_(std::make_shared<Tables>()), staged_(visible_) {}

  const Tables& visible() const { return *visible_; }
  const Tables& staged() const { return *staged_; }

  // Evaluates a change on the staged state and appends what the log must keep, without revisions;
  // nothing for a change that changes nothing. Errors: etcd's (etcd-v3.md 1.9).
  Status stage(const Change& change, std::vector<keyspace::Record>* records);
  // Everything staged counts from now on.
  void commit() {
    if (visible_ != staged_) ++changes_;
    visible_ = staged_;
  }
  void rollback() { staged_ = visible_; }
  // Grows whenever visible() may have changed.
  uint64_t changes() const { return changes_; }
  // Takes a record from the log. Requires: nothing is staged. Errors: backend_corrupt.
  Status apply(const keyspace::Record& record);

 private:
  std::shared_ptr<Tables> visible_;
  std::shared_ptr<Tables> staged_;
  uint64_t changes_ = 0;
};

// Whether the record is one of this store's.
constexpr bool is_auth(keyspace::RecordKind kind) {
  return kind >= keyspace::RecordKind::auth_user &&
         kind <= keyspace::RecordKind::auth_token_revoked;
}

// What holds for every record of users and roles. Errors: backend_corrupt.
Status validate_record(const keyspace::Record& record);

}  // namespace lattice::auth
