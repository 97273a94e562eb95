// Random bytes from the operating system: ids that must never repeat, and the jitter of retries.
// Thread: any.
#pragma once

#include <cstddef>

namespace lattice::backends {

// Requires: size <= 256, below which the kernel neither refuses nor stops half-way.
void fill_random(void* data, size_t size);

// Between 0 and 1.
double random_fraction();

}  // namespace lattice::backends
