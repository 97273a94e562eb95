// Request bytes into the plain requests that a keyspace understands.
// Thread: any. Ownership: what comes out owns its strings; the message may go.
#pragma once

#include <string_view>

#include "base/status.h"
#include "keyspace/requests.h"

namespace lattice::etcd {

// Transactions nested deeper than this are refused while decoding. etcd's own limit on operations
// cannot admit them: each level uses at least one operation of its parent's budget.
inline constexpr int txn_depth_max = 256;

// Errors: internal with grpc-go's text when the bytes are not such a message; too_many_ops for a
// transaction nested beyond txn_depth_max, or longer than any configuration allows.
Result<keyspace::RangeRequest> decode_range(std::string_view message);
Result<keyspace::PutRequest> decode_put(std::string_view message);
Result<keyspace::DeleteRangeRequest> decode_delete_range(std::string_view message);
Result<keyspace::TxnRequest> decode_txn(std::string_view message);
// Where a list has more than `ops_max` operations the transaction will be refused for it: what
// comes behind one more is read to see whether it is well-formed, and left out.
Result<keyspace::TxnRequest> decode_txn_up_to(std::string_view message, size_t ops_max);

// What a message that does not parse is answered with, whatever its type.
Status unmarshal_error();

}  // namespace lattice::etcd
