// Tells systemd, where it started us with Type=notify, how we are (sd_notify's protocol: one
// datagram). Thread: any.
#pragma once

#include <optional>
#include <string_view>

#include "base/time.h"

namespace lattice::server {

// "READY=1", "STOPPING=1", "WATCHDOG=1". Does nothing outside systemd; failures are of no
// consequence.
void notify_service_manager(std::string_view state);

// How long systemd waits for "WATCHDOG=1" before it restarts this process; nullopt where its unit
// does not ask for that.
std::optional<Duration> service_watchdog_time();

}  // namespace lattice::server
