// google.rpc.Status with RetryInfo and QuotaFailure: the machine-readable half of a refusal.
// Thread: pure.
#pragma once

#include <string>

#include "base/time.h"
#include "proxy/call.h"

namespace lattice::etcd {

// For the trailer grpc-status-details-bin.
std::string retry_details(const proxy::GrpcStatus& status, Duration retry_after);

}  // namespace lattice::etcd
