// Logs in PostgreSQL, as the server wants them.
#pragma once

#include "server/store.h"

namespace lattice::server {

// Errors: invalid_argument for a connection string that libpq does not understand.
Result<std::unique_ptr<Store>> make_postgres_store(const config::Config& config,
                                                   const StoreSurroundings& surroundings);

}  // namespace lattice::server
