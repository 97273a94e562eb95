// The tables of the SQLite log and the way to them from any older version (docs/log-format.md).
#pragma once

#include <string>

#include "backends/common/schema.h"
#include "backends/sqlite/sqlite_database.h"

namespace lattice::backends {

// Creates what is missing in an empty file, or brings an older schema up to date, in one exclusive
// transaction. `fresh_cluster_id` is used for a new file only.
// Errors: backend_schema_newer, backend_foreign_data, io and the like.
Result<SchemaState> prepare_schema(Database& database, const std::string& path,
                                   uint64_t fresh_cluster_id);

}  // namespace lattice::backends
