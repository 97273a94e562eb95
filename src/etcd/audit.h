// What the audit log says of calls: who asked for what, and what is a refusal.
// Thread: the call's loop. Values, passwords and tokens are shown nowhere.
#pragma once

#include <string_view>

#include "auth/types.h"
#include "base/bytes.h"
#include "etcd/services.h"
#include "keyspace/requests.h"
#include "telemetry/audit_line.h"

namespace lattice::etcd {

using telemetry::AuditLine;

// Adds who calls which method, from where. `tenant`: null while it is not known.
void describe_call(const proxy::ServerStream& stream, const Tenant* tenant,
                   const auth::CallerRef& caller, AuditLine* line);
// Whether the caller may not, or may not now: whatever code says so.
bool is_refusal(const proxy::GrpcStatus& status);
// The fields `outcome`, `code` and `error`.
void describe_end(const proxy::GrpcStatus& status, std::string_view outcome, AuditLine* line);

void describe(const keyspace::KeyRange& range, AuditLine* line);
void describe(const auth::Change& change, AuditLine* line);
std::string_view name_of(auth::Change::Kind kind);
// What a request concerned that came to nothing, as far as its bytes can be read.
void describe_message(std::string_view method, const Bytes& message, AuditLine* line);

}  // namespace lattice::etcd
