// Why the process ended, for whoever started it (sysexits.h where that has a number).
// Thread: pure.
#pragma once

#include <string>

#include "base/status.h"

namespace lattice::server {

inline constexpr int exit_failure = 1;               // failed while running
inline constexpr int exit_backend_unavailable = 69;  // the database cannot be had, or is in use
inline constexpr int exit_os = 71;                   // the system refused: an address in use, say
inline constexpr int exit_cannot_create = 73;        // the data folder
inline constexpr int exit_io = 74;
inline constexpr int exit_no_permission = 77;
inline constexpr int exit_configuration = 78;  // what is configured can never work with this data

// The status for a store that could not be opened; `folder` is the embedded store's, or empty.
int exit_status_of(const Status& status, const std::string& folder);

}  // namespace lattice::server
