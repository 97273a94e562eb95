// The list of tenants (backends/common/tenants.h) of a SQLite file, whoever has its lock.
// Thread: that of the Post's loop. Ownership: see the functions; after destruction no callback
// runs.
#pragma once

#include <memory>

#include "backends/common/tenants.h"
#include "backends/sqlite/sqlite_store.h"

namespace lattice::backends {

// On the engine's threads, which it shares.
std::unique_ptr<TenantDirectory> make_sqlite_directory(std::shared_ptr<SqliteEngine> engine,
                                                       Post post);
// Beside the process that has the lock: on a connection of its own, blocking. Such a file is never
// swept: that is for the lock's owner.
// Errors: those of opening the file; backend_schema_newer for another schema than this program's.
Result<std::unique_ptr<TenantDirectory>> open_sqlite_directory_beside(const SqliteOptions& options,
                                                                      Post post);

}  // namespace lattice::backends
