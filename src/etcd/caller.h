// Whom a call's credentials name: a token in its metadata, else the certificate of its connection.
// Thread: the connection's loop.
#pragma once

#include "auth/types.h"
#include "etcd/services.h"

namespace lattice::etcd {

// Null: the call has no credentials.
auth::CallerRef caller_of(const proxy::ServerStream& stream, const Tenant& tenant,
                          Services& services);

}  // namespace lattice::etcd
