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

}  // namespace
}  // namespace lattice::proxy
