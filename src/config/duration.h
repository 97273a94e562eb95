// The two forms that etcd's --auto-compaction-retention takes.
// Thread: any; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time.h"

namespace lattice::config {

// A decimal number, not negative.
std::optional<int64_t> parse_count(std::string_view text);

// A bare number is hours; otherwise a Go duration without sign: "90s", "1h30m", "1.5h", "250ms".
// nullopt also for what is longer than a century.
std::optional<Duration> parse_retention(std::string_view text);

}  // namespace lattice::config
