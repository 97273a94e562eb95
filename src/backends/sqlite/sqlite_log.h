// A tenant's log in a SqliteStore.
// Thread: the loop that `post` reaches.
#pragma once

#include "backends/sqlite/sqlite_engine.h"

namespace lattice::backends {

std::unique_ptr<replica::Log> make_sqlite_log(std::shared_ptr<SqliteEngine> engine, LogInfo info,
                                              Post post);

}  // namespace lattice::backends
