// Transactions over a State (etcd-v3.md 1.5): compares choose the branches, checks may refuse the
// whole, then the chosen operations run in order.
#pragma once

#include "keyspace/mutation.h"

namespace lattice::keyspace {

// Requires for both: validate(request) passed.
// Errors: key_not_found, lease_not_found, compacted, future_revision; then nothing was changed.
Result<TxnResult> run_write_txn(Mutation* mutation, const TxnRequest& request);
// Requires: is_read_only(request).
Result<TxnResult> run_read_txn(const State& state, const TxnRequest& request, Revision current);

}  // namespace lattice::keyspace
