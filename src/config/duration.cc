#include "config/duration.h"

#include <charconv>

namespace lattice::config {
namespace {

constexpr double seconds_max = 100.0 * 366 * 86400;

struct Unit {
  std::string_view name;
  double seconds;
};
// "ms" and its kin before "m": the first match counts.
constexpr Unit units[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3},
                          {"s", 1},     {"m", 60},    {"h", 3600}};

}  // namespace

std::optional<int64_t> parse_count(std::string_view text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || value < 0) return std::nullopt;
  return value;
}

std::optional<Duration> parse_retention(std::string_view text) {
  if (const auto hours = parse_count(text)) {
    if (static_cast<double>(*hours) * 3600 > seconds_max) return std::nullopt;
    return std::chrono::hours(*hours);
  }
  double seconds = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    if (text[0] < '0' || text[0] > '9') return std::nullopt;
    double number = 0;
    const auto parsed =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (parsed.ec != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
    const Unit* unit = nullptr;
    for (const Unit& candidate : units) {
      if (unit == nullptr && text.starts_with(candidate.name)) unit = &candidate;
    }
    if (unit == nullptr) return std::nullopt;
    text.remove_prefix(unit->name.size());
    seconds += number * unit->seconds;
  }
  if (seconds > seconds_max) return std::nullopt;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

}  // namespace lattice::config
