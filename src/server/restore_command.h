// `lattice restore declare`: tells every tenant's log that it was restored from a backup
// (log-protocol H3), where nothing else would. Appends one batch to each log: a takeover by nobody
// that jumps. Only where no server leads: its session must be over, or stand still for a full TTL.
//
// Thread: the caller's, which it blocks.
#pragma once

#include <iosfwd>

#include "config/config.h"

namespace lattice::server {

// Answers the exit status; what went wrong is on `err`.
int run_restore_command(const config::Config& config, std::ostream& out, std::ostream& err);

}  // namespace lattice::server
