// `lattice restore declare`: tells every tenant's log that it was restored from a backup
// (log-protocol H3), where nothing else would. Appends one batch to each log: a takeover by nobody
// that jumps. Only where no server leads: its session must be over, or stand still for a full TTL.
// A tenant that is on its way to another database jumps where its log goes on; where that has
// ended, its move is to be finished first.
//
// Thread: the caller's, which it blocks.
#pragma once

#include <iosfwd>
#include <string>

#include "config/config.h"

namespace lattice::server {

// `backend`: config::default_backend, or one of config.backends; empty: all of them. Answers the
// exit status; what went wrong is on `err`.
int run_restore_command(const config::Config& config, const std::string& backend, std::ostream& out,
                        std::ostream& err);

}  // namespace lattice::server
