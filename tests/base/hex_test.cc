#include "base/hex.h"

#include <doctest/doctest.h>

#include <array>
#include <string_view>

namespace lattice {
namespace {

TEST_CASE("two lower-case digits for each byte, of texts and of arrays") {
  CHECK(to_hex(std::string_view()).empty());
  CHECK(to_hex(std::string_view("\0\x7f\x80\xff", 4)) == "007f80ff");
  CHECK(to_hex(std::array<uint8_t, 3>{0x0a, 0xb0, 0xcd}) == "0ab0cd");
}

TEST_CASE("and back, of nothing but such digits") {
  CHECK(from_hex("007f80ff") == std::string("\0\x7f\x80\xff", 4));
  for (const char* other : {"", "0", "0g", "0A", "123", "0x12"}) CHECK(from_hex(other).empty());
}

}  // namespace
}  // namespace lattice
