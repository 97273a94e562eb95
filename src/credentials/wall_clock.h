// The time of day, by which tokens end.
// Thread: any.
#pragma once

#include <cstdint>

namespace lattice::credentials {

// Seconds since 1970.
int64_t wall_seconds();

}  // namespace lattice::credentials
