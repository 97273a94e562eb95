// The version of this build, as CMake's project() says it.
#pragma once

#include <string_view>

namespace lattice::telemetry {

std::string_view lattice_version();

}  // namespace lattice::telemetry
