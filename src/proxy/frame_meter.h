// Reads along in the bytes that a peer sends, from the preface on: how many frames there are, and
// how many of a sort that does no work. nghttp2 passes over some of them without a word (types that
// it does not know, PRIORITY, padding), and a flood of them would cost its sender nothing. Nor does
// it say where the header block of a stream ends that it has reset. Thread: the connection's loop.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lattice::proxy {

class FrameMeter {
 public:
  struct Seen {
    uint32_t frames = 0;
    uint32_t useless = 0;         // unknown types, PRIORITY, PING answers, DATA that is but padding
    uint32_t window_updates = 0;  // fair as far as we send
  };
  // What begins in these bytes.
  Seen scan(std::string_view bytes);
  // Which header block, counted from 1, has begun and not ended; 0: none.
  uint64_t open_header_block() const;

 private:
  static constexpr size_t preface_bytes = 24;
  static constexpr size_t header_bytes = 9;

  void judge(Seen* seen) const;
  void follow_header_block();
  size_t length() const { return size_t{header_[0]} << 16 | size_t{header_[1]} << 8 | header_[2]; }

  size_t skip_ = preface_bytes;  // until the next frame's header
  size_t have_ = 0;              // of header_
  std::array<uint8_t, header_bytes> header_{};
  uint64_t header_blocks_ = 0;
  bool in_header_block_ = false;   // up to the end of this frame, or longer
  bool ends_header_block_ = true;  // this frame
};

}  // namespace lattice::proxy
