#include "backends/common/random.h"

#include <sys/random.h>

#include <cstdint>
#include <cstdlib>

namespace lattice::backends {

void fill_random(void* data, size_t size) {
  if (getrandom(data, size, 0) != static_cast<ssize_t>(size)) std::abort();
}

double random_fraction() {
  uint32_t bits = 0;
  fill_random(&bits, sizeof(bits));
  return static_cast<double>(bits) / static_cast<double>(UINT32_MAX);
}

}  // namespace lattice::backends
