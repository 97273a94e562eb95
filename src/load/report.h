// The result of a run, for programs and for people.
// Thread: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "load/meter.h"

namespace lattice::load {

struct Report {
  std::string_view mode;
  std::string_view unit;        // what one operation is
  double operations_scale = 1;  // operations counted for each latency sample
  std::vector<std::pair<std::string, double>> extra;
};

// Whether the run counts: it measured something and nothing failed.
bool is_valid(const Meter& meter);
// One JSON object.
std::string to_json(const Report& report, const Meter& meter);
// Throughput, percentiles, a histogram of the latencies, and what failed; several lines.
std::string to_text(const Report& report, const Meter& meter);

}  // namespace lattice::load
