#include "proxy/frame_meter.h"

#include <doctest/doctest.h>

#include <string>

namespace lattice::proxy {
namespace {

std::string frame(uint8_t type, uint8_t flags, size_t size) {
  std::string out{0,
                  static_cast<char>(size >> 8),
                  static_cast<char>(size),
                  static_cast<char>(type),
                  static_cast<char>(flags),
                  0,
                  0,
                  0,
                  1};
  return out + std::string(size, 'x');
}

const std::string all = std::string(24, 'p') + frame(4, 0, 0) + frame(1, 4, 300) +
                        frame(0, 0, 1000) + frame(0, 8, 20) + frame(0, 9, 20) + frame(8, 0, 4) +
                        frame(8, 0, 4) + frame(6, 0, 8) + frame(6, 1, 8) + frame(2, 0, 5) +
                        frame(0xfe, 0xff, 0) + frame(16, 0, 3) + frame(3, 0, 4) + frame(9, 4, 7);

TEST_CASE("Frames are counted by their sort, however their bytes are cut") {
  for (const size_t piece : {size_t{1}, size_t{5}, size_t{24}, size_t{333}, all.size()}) {
    CAPTURE(piece);
    FrameMeter meter;
    FrameMeter::Seen sum;
    for (size_t at = 0; at < all.size(); at += piece) {
      const FrameMeter::Seen seen = meter.scan(std::string_view(all).substr(at, piece));
      sum.frames += seen.frames;
      sum.useless += seen.useless;
      sum.window_updates += seen.window_updates;
    }
    CHECK(sum.frames == 14);
    CHECK(sum.window_updates == 2);
    CHECK(sum.useless == 5);  // padding alone, a PING's answer, PRIORITY, two unknown ones
  }
}

TEST_CASE("A header block is open from its HEADERS to END_HEADERS, however its bytes are cut") {
  const std::string preface(24, 'p');
  const std::string bytes =
      preface + frame(1, 4, 5) + frame(6, 0, 8) + frame(1, 0, 0) + frame(9, 4, 3);
  FrameMeter meter;
  std::string open;
  for (const char byte : bytes) {
    meter.scan({&byte, 1});
    open += static_cast<char>('0' + meter.open_header_block());
  }
  const auto times = [](size_t count, char of) { return std::string(count, of); };
  // Up to the ninth byte of a frame nobody knows what it is.
  CHECK(open == times(24 + 8, '0') + times(1 + 4, '1') + times(1 + 17 + 8, '0') +
                    times(1 + 9 + 2, '2') + "0");
}

}  // namespace
}  // namespace lattice::proxy
