// What a tenant may be called. Thread: pure functions.
#pragma once

#include <algorithm>
#include <string_view>

namespace lattice {

inline constexpr size_t tenant_name_bytes_max = 63;
inline constexpr std::string_view tenant_name_expectation =
    "expected a name of at most 63 letters, digits, '-', '_' and '.', beginning with a letter or "
    "digit";

// Fits a path segment of a URI; with letters in lower case and without '_' and '.' a DNS label,
// too. What a removed tenant's row is called (docs/log-format.md) is none.
inline bool is_tenant_name(std::string_view name) {
  const auto letter_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (name.empty() || name.size() > tenant_name_bytes_max || !letter_or_digit(name.front())) {
    return false;
  }
  return std::ranges::all_of(
      name, [&](char c) { return letter_or_digit(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace lattice
