// Whether the newest batch of every log is still what was appended: what a power cut, a failed disk
// or a person with an editor is most likely to have damaged.
// Thread: the connection's.
#pragma once

#include <string>

#include "backends/sqlite/sqlite_database.h"

namespace lattice::backends {

// *next_row: the first row behind all records. Errors: backend_corrupt.
Status verify_newest_batches(Database& database, const std::string& path, int64_t* next_row);

}  // namespace lattice::backends
