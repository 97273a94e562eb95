// Bytes as text that people can read and databases take as a name. Thread: pure functions.
#pragma once

#include <cstdint>
#include <string>

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

}  // namespace lattice
