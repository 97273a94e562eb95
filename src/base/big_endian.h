// Numbers as bytes, the most significant one first: what a batch's digest covers, what travels
// between nodes, and PostgreSQL's binary formats are made of them. Thread: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace lattice {

// Writes sizeof(T) bytes to `out`; answers where they end.
template <class T>
char* write_big_endian(T value, char* out) {
  for (size_t i = sizeof(T); i-- > 0;) {
    *out++ = static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
  }
  return out;
}

template <class T>
void append_big_endian(T value, std::string* out) {
  char bytes[sizeof(T)];
  write_big_endian(value, bytes);
  out->append(bytes, sizeof(bytes));
}

// The number that all of `bytes` make, a text or a span of octets. Requires: 8 of them at most.
template <class Octets>
uint64_t read_big_endian(const Octets& bytes) {
  uint64_t value = 0;
  for (const auto byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

}  // namespace lattice
