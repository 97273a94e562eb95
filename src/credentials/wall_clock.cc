#include "credentials/wall_clock.h"

#include <chrono>

namespace lattice::credentials {

int64_t wall_seconds() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

}  // namespace lattice::credentials
