// etcd's limit on the size of one write.
// Thread: pure.
#pragma once

#include "base/status.h"
#include "etcd/services.h"
#include "etcd/wire.h"

namespace lattice::etcd {

// etcd compares the limit with its internal raft request: the request as a field of that, behind a
// header with a request id of nine bytes as etcd's ids have them.
inline constexpr size_t raft_header_bytes = 13;

inline bool is_too_large(const ServiceLimits& limits, size_t message_bytes) {
  return length_delimited_size(message_bytes) + raft_header_bytes > limits.request_bytes_max;
}

// The refusal of a write that is too large; a request that is wrong in itself is told that first
// (etcd-v3.md 4.11). `validation` is the outcome of those checks.
inline Status refuse_large(const Status& validation) {
  return validation.ok() ? Status(Error::request_too_large) : validation;
}

}  // namespace lattice::etcd
