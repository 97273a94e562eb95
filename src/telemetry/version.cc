#include "telemetry/version.h"

namespace lattice::telemetry {

std::string_view lattice_version() { return LATTICE_VERSION; }

}  // namespace lattice::telemetry
