#include "replica/gate.h"

#include "base/planted.h"

namespace lattice::replica {

using Access = auth::Tables::Access;

Status Gate::read(const keyspace::KeyRange& range) const {
  if (open()) return {};
  if (Status status = token(); !status.ok()) return status;
  return tables_.check_keys(caller_, Access::read, range);
}

Status Gate::check(const keyspace::PutRequest& request) const {
  if (open()) return {};
  if (Status status = token(); !status.ok()) return status;
  return granted(request);
}

Status Gate::check(const keyspace::DeleteRangeRequest& request) const {
  if (open()) return {};
  if (Status status = token(); !status.ok()) return status;
  return granted(request);
}

Status Gate::check(const keyspace::TxnRequest& request) const {
  if (open()) return {};
  if (Status status = token(); !status.ok()) return status;
  return granted(request);
}

Status Gate::leased(LeaseId lease, Access access) const {
  if (open()) return {};
  if (Status status = access == Access::write ? writer() : user(); !status.ok()) return status;
  return keys_of(lease, access);
}

// A key's lease deletes it, so whoever attaches one or ends it writes all that hang on it.
Status Gate::keys_of(LeaseId lease, Access access) const {
  for (std::string& key : state_.keyspace.leased_keys(lease)) {
    Status status = tables_.check_keys(caller_, access, {std::move(key), {}});
    if (!status.ok()) return status;
  }
  return {};
}

Status Gate::granted(const keyspace::PutRequest& request) const {
  const keyspace::KeyRange key{request.key, {}};
  if (Status status = tables_.check_keys(caller_, Access::write, key); !status.ok()) return status;
  if (request.lease != LeaseId(0)) {
    if (Status status = keys_of(request.lease, Access::write); !status.ok()) return status;
  }
  return request.prev_kv ? tables_.check_keys(caller_, Access::read, key) : Status();
}

Status Gate::granted(const keyspace::TxnRequest& request) const {
  for (const keyspace::Compare& compare : request.compares) {
    Status status = tables_.check_keys(caller_, Access::read, compare.range);
    if (!status.ok()) return status;
  }
  if (Status status = operations(request.success); !status.ok()) return status;
  return operations(request.failure);
}

Status Gate::operations(const std::vector<keyspace::RequestOp>& ops) const {
  for (const keyspace::RequestOp& op : ops) {
    const Status status = std::visit(
        [this](const auto& one) -> Status {
          using Op = std::decay_t<decltype(one)>;
          if constexpr (std::is_same_v<Op, std::monostate>) {
            return Error::permission_denied;  // refused before; there is no such operation
          } else if constexpr (std::is_same_v<Op, std::unique_ptr<keyspace::TxnRequest>>) {
            return planted(Planted::nested_txn_unguarded) ? Status() : granted(*one);
          } else {
            return granted(one);
          }
        },
        op);
    if (!status.ok()) return status;
  }
  return {};
}

}  // namespace lattice::replica
