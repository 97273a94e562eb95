#include "base/big_endian.h"

#include <doctest/doctest.h>

#include <array>
#include <string_view>

namespace lattice {
namespace {

using namespace std::string_view_literals;

TEST_CASE("the most significant byte comes first, whatever the width and the sign") {
  std::string out;
  append_big_endian(uint8_t{1}, &out);
  append_big_endian(uint32_t{0x02030405}, &out);
  append_big_endian(int64_t{-2}, &out);
  append_big_endian(int16_t{-32768}, &out);
  CHECK(out == "\1\2\3\4\5\xff\xff\xff\xff\xff\xff\xff\xfe\x80\0"sv);
  char fixed[4];
  CHECK(write_big_endian(uint32_t{0xfffefdfc}, fixed) == fixed + 4);
  CHECK(std::string_view(fixed, 4) == "\xff\xfe\xfd\xfc"sv);
}

TEST_CASE("what was written is read, from texts and from octets") {
  CHECK(read_big_endian(""sv) == 0);
  CHECK(read_big_endian("\xff\0"sv) == 0xff00);
  CHECK(read_big_endian(std::array<uint8_t, 3>{1, 2, 255}) == 0x0102ff);
  for (const int64_t value : {int64_t{0}, int64_t{-1}, INT64_MIN, INT64_MAX, int64_t{1} << 40}) {
    std::string bytes;
    append_big_endian(value, &bytes);
    CHECK(static_cast<int64_t>(read_big_endian(bytes)) == value);
  }
}

}  // namespace
}  // namespace lattice
