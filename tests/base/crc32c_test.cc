#include "base/crc32c.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

namespace lattice {
namespace {

TEST_CASE("known CRC-32C values") {
  CHECK(crc32c("") == 0);
  CHECK(crc32c("123456789") == 0xE3069283);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AA);  // RFC 3720, appendix B.4
  CHECK(crc32c(std::string(32, '\xFF')) == 0x62A8AB43);
}

TEST_CASE("the instructions agree with the table, in one piece and in two") {
  std::mt19937_64 random(7);
  for (size_t size = 0; size < 200; ++size) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(random());
    const uint32_t whole = crc32c_extend_by_table(0, text);
    REQUIRE(crc32c(text) == whole);
    const std::string_view view = text;
    const size_t cut = size == 0 ? 0 : random() % size;
    REQUIRE(crc32c_extend(crc32c(view.substr(0, cut)), view.substr(cut)) == whole);
  }
}

}  // namespace
}  // namespace lattice
