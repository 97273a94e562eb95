// The one place where an Error becomes a gRPC code and a text. etcd clients recognise errors by
// their exact text, so every byte here is contract (etcd-v3.md section 2). Thread: pure functions.
#pragma once

#include "base/status.h"
#include "proxy/call.h"

namespace lattice::etcd {

// Requires: !status.ok().
proxy::GrpcStatus to_grpc(const Status& status);
// etcd's text alone, as watch responses and health probes quote it.
std::string error_text(const Status& status);
// The Election and Lock services hand every error on as Unknown with its text, those of the
// caller's context apart (etcd-v3.md 1.9).
proxy::GrpcStatus to_grpc_unmapped(const Status& status);

}  // namespace lattice::etcd
