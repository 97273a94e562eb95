// Logs in this process's memory, as the server wants them. The list of tenants is this process's
// too: no command reaches it, only [tenants] create.
#pragma once

#include "server/store.h"

namespace lattice::server {

std::unique_ptr<Store> make_memory_store(replica::Environment& environment);

}  // namespace lattice::server
