// Whom a call's credentials name: a token in its metadata, else the certificate of its connection.
// Thread: the connection's loop.
#pragma once

#include "auth/types.h"
#include "credentials/authority.h"
#include "proxy/call.h"

namespace lattice::etcd {

// Null: the call has no credentials. `any_realm`: see Authority::identify().
auth::CallerRef caller_of(const proxy::ServerStream& stream, credentials::Authority* authority,
                          bool any_realm);

}  // namespace lattice::etcd
