#include "proxy/frame_meter.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

namespace lattice::proxy {
namespace {

// The longest that padding alone can make a DATA frame.
constexpr size_t padding_bytes_max = 256;

}  // namespace

FrameMeter::Seen FrameMeter::scan(std::string_view bytes) {
  Seen seen;
  while (!bytes.empty()) {
    if (skip_ > 0) {
      const size_t skipped = std::min(skip_, bytes.size());
      bytes.remove_prefix(skipped);
      skip_ -= skipped;
      continue;
    }
    const size_t taken = std::min(header_bytes - have_, bytes.size());
    std::memcpy(header_.data() + have_, bytes.data(), taken);
    bytes.remove_prefix(taken);
    have_ += taken;
    if (have_ < header_bytes) break;
    have_ = 0;
    skip_ = length();
    follow_header_block();
    judge(&seen);
  }
  return seen;
}

uint64_t FrameMeter::open_header_block() const {
  const bool ended = ends_header_block_ && skip_ == 0;
  return in_header_block_ && !ended ? header_blocks_ : 0;
}

// RFC 9113 4.3: nothing else comes between the frames of a block; where it does, nghttp2 ends the
// connection.
void FrameMeter::follow_header_block() {
  const uint8_t type = header_[3];
  if (type == NGHTTP2_HEADERS) ++header_blocks_;
  in_header_block_ = type == NGHTTP2_HEADERS || type == NGHTTP2_CONTINUATION;
  ends_header_block_ = (header_[4] & NGHTTP2_FLAG_END_HEADERS) != 0;
}

void FrameMeter::judge(Seen* seen) const {
  ++seen->frames;
  const uint8_t flags = header_[4];
  switch (header_[3]) {
    case NGHTTP2_DATA:
      if ((flags & NGHTTP2_FLAG_PADDED) != 0 && (flags & NGHTTP2_FLAG_END_STREAM) == 0 &&
          length() <= padding_bytes_max) {
        ++seen->useless;
      }
      return;
    case NGHTTP2_WINDOW_UPDATE:
      ++seen->window_updates;
      return;
    case NGHTTP2_PING:
      if ((flags & NGHTTP2_FLAG_ACK) != 0) ++seen->useless;
      return;
    // Counted by the session, or by nghttp2.
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_SETTINGS:
    case NGHTTP2_GOAWAY:
      return;
    default:
      ++seen->useless;
  }
}

}  // namespace lattice::proxy
