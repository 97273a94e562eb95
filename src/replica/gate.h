// What a caller may ask of this tenant: etcd's rules (src/auth/tables.h) for each request, on one
// state of users, keys and leases. Everything passes while authentication is off, for the price of
// one branch.
// Thread: the replica's loop. Ownership: refers to its arguments; lives for one decision.
#pragma once

#include <string_view>

#include "replica/state.h"

namespace lattice::replica {

class Gate {
 public:
  // `tables`: state.auth.staged() where a write is evaluated, visible() for everything else.
  Gate(const State& state, const auth::Tables& tables, const auth::CallerRef& caller)
      : state_(state), tables_(tables), caller_(caller.get()) {}

  bool open() const { return !tables_.enabled; }

  // Errors of all: etcd's, see auth/tables.h.
  // Whether the credentials, if there are any, are good.
  Status token() const { return tables_.check_token(caller_, realm()); }
  Status user() const { return open() ? Status() : tables_.check_user(caller_, realm()); }
  // A user that is not confined to reading.
  Status writer() const { return open() ? Status() : tables_.check_writer(caller_, realm()); }
  Status root() const { return open() ? Status() : tables_.check_root(caller_, realm()); }
  Status read(const keyspace::KeyRange& range) const;
  Status check(const keyspace::RangeRequest& request) const { return read(request.range); }
  Status check(const keyspace::PutRequest& request) const;
  Status check(const keyspace::DeleteRangeRequest& request) const;
  // All of it is judged, whatever the comparisons say and however deep it is.
  Status check(const keyspace::TxnRequest& request) const;
  // A user, who may read, or write, every key of the lease.
  Status leased(LeaseId lease, auth::Tables::Access access) const;

  static std::string_view realm_of(const State& state) {
    const LogId& id = state.log.id();
    return {reinterpret_cast<const char*>(id.data()), id.size()};
  }

 private:
  std::string_view realm() const { return realm_of(state_); }
  Status keys_of(LeaseId lease, auth::Tables::Access access) const;
  Status operations(const std::vector<keyspace::RequestOp>& ops) const;
  Status granted(const keyspace::RangeRequest& request) const {
    return tables_.check(caller_, request);
  }
  Status granted(const keyspace::PutRequest& request) const;
  Status granted(const keyspace::DeleteRangeRequest& request) const {
    return tables_.check(caller_, request);
  }
  Status granted(const keyspace::TxnRequest& request) const;

  const State& state_;
  const auth::Tables& tables_;
  const auth::Caller* caller_;
};

}  // namespace lattice::replica
