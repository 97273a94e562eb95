// The latency of the smallest durable write that a database makes: what a put with nothing else in
// flight is compared with.
// Thread: any; each probe blocks.
#pragma once

#include <cstdint>
#include <string>

#include "load/histogram.h"

namespace lattice::load {

struct ProbeRequest {
  std::string target;  // a file that does not exist yet, or a PostgreSQL URI
  uint64_t commits = 1000;
  size_t value_size = 256;
};

// Each inserts `commits` rows, one commit each, and records nanoseconds per commit. Empty on
// success.
std::string probe_sqlite(const ProbeRequest& request, Histogram& latency);
std::string probe_postgres(const ProbeRequest& request, Histogram& latency);

}  // namespace lattice::load
