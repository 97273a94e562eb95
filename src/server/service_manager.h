// Tells systemd, where it started us with Type=notify, how we are (sd_notify's protocol: one
// datagram). Thread: any.
#pragma once

#include <string_view>

namespace lattice::server {

// "READY=1", "STOPPING=1". Does nothing outside systemd; failures are of no consequence.
void notify_service_manager(std::string_view state);

}  // namespace lattice::server
