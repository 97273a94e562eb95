// Rows of `batch` and `record` as the code knows them.
// Thread: the connection's.
#pragma once

#include "backends/common/stored_row.h"
#include "backends/sqlite/sqlite_database.h"
#include "replica/log.h"

namespace lattice::backends {

// The columns that header_of() expects, from 0 on, in this order: seq, previous, digest, epoch,
// incarnation, batch_id, last_revision, record_count.
Result<replica::BatchHeader> header_of(Statement& row);

// ?1 the first row, ?2 the row behind the last.
inline constexpr const char* select_records_sql =
    "SELECT seq, idx, kind, revision, sub, key, value, create_revision, version, lease, number"
    " FROM record WHERE row >= ?1 AND row < ?2 ORDER BY row";

// Fills in the surviving records of batch->header with `select`, prepared from select_records_sql.
Status read_records(Database& database, Statement& select, int64_t first_row,
                    replica::Log::LoadedBatch* batch);

}  // namespace lattice::backends
