// Counts the gRPC messages in a body that passes by in pieces: 5-byte prefixes, and as many bytes
// as each says.
// Thread: one owner. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lattice::proxy {

class MessageCounter {
 public:
  // How many messages end in these bytes.
  size_t feed(std::string_view bytes) {
    size_t ended = 0;
    while (!bytes.empty()) {
      if (prefix_left_ > 0) {
        if (prefix_left_ < prefix_bytes) left_ = left_ << 8 | static_cast<uint8_t>(bytes.front());
        bytes.remove_prefix(1);
        --prefix_left_;
      } else {
        const size_t taken = std::min<size_t>(left_, bytes.size());
        bytes.remove_prefix(taken);
        left_ -= static_cast<uint32_t>(taken);
      }
      if (prefix_left_ > 0 || left_ > 0) continue;
      ++ended;
      prefix_left_ = prefix_bytes;
    }
    return ended;
  }

 private:
  static constexpr uint8_t prefix_bytes = 5;

  uint32_t left_ = 0;  // of the message; while its prefix comes, what is known of it
  uint8_t prefix_left_ = prefix_bytes;
};

}  // namespace lattice::proxy
