// Bytes as text that people can read and databases take as a name. Thread: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lattice {

// Two lower-case hexadecimal digits for each byte of a text, an array or a span.
template <class Octets>
std::string to_hex(const Octets& bytes) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const auto byte : bytes) {
    text += digits[static_cast<uint8_t>(byte) >> 4];
    text += digits[static_cast<uint8_t>(byte) & 15];
  }
  return text;
}

// Empty for anything but lower-case hexadecimal digits.
inline std::string from_hex(std::string_view text) {
  const auto value = [](char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
  };
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = value(text[i]);
    const int low = value(text[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes.size() * 2 == text.size() ? bytes : std::string();
}

}  // namespace lattice
