// google.rpc.Status with what programs can read of a refusal: RetryInfo and QuotaFailure of one by
// the tenant's limits, ErrorInfo of one by LIN-BOUND.
// Thread: pure.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"
#include "proxy/call.h"

namespace lattice::etcd {

// Both for this trailer.
inline constexpr const char* details_trailer = "grpc-status-details-bin";

std::string retry_details(const proxy::GrpcStatus& status, Duration retry_after);
// Of a refusal that is nobody's limit.
std::string overload_details(const proxy::GrpcStatus& status, Duration retry_after);
// `reason` as ErrorInfo has them, in capitals; `cause` for people.
std::string reason_details(const proxy::GrpcStatus& status, std::string_view reason,
                           std::string_view cause);

}  // namespace lattice::etcd
