// Wiring: makes a server out of a Config and runs it until it is told to stop.
// Thread: the caller's becomes the first event loop. Ownership: everything lives inside run().
#pragma once

#include "config/load.h"
#include "telemetry/logger.h"

namespace lattice::server {

// Serves until SIGTERM or SIGINT. Answers the exit status: 0 after a clean stop, else one of
// exit_status.h with the reason in the log. SIGHUP calls `reload`, on the first loop, and applies
// what can change at run time of the configuration that it answers, if it does.
int run(const config::Config& config, telemetry::Logger& log, config::Reload reload = nullptr);

}  // namespace lattice::server
