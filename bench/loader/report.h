// The result of a run as one JSON object on stdout.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "meter.h"

namespace lattice::bench {

struct Report {
  std::string_view mode;
  std::string_view unit;        // what one operation is
  double operations_scale = 1;  // operations counted for each latency sample
  std::vector<std::pair<std::string, double>> extra;
};

// Prints the object; returns whether the run counts: it measured something and nothing failed.
bool print_report(const Report& report, const Meter& meter);

}  // namespace lattice::bench
