// Turns one log event into one line of text or JSON. Pure: the time comes in.
// Thread: any.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "telemetry/logger.h"

namespace lattice::telemetry {

struct LogEvent {
  Level level;
  std::chrono::system_clock::time_point time;
  std::string_view file;  // as the compiler names it; only its last folder is written
  unsigned line;
  std::string_view message;
  std::span<const Field> fields;
};

// One JSON object. Bytes that are not valid UTF-8 are written as \u00XX, so that the line always
// parses.
std::string json_line(const LogEvent& event);
// `time level caller message key=value ...`; values with blanks, quotes or control bytes are
// quoted.
std::string plain_line(const LogEvent& event);

}  // namespace lattice::telemetry
