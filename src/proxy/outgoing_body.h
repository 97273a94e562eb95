// The bytes of one response that HTTP/2 flow control has not let go yet: gRPC messages with their
// 5-byte prefixes, or the body of a plain HTTP response.
// Thread: the connection's loop. Ownership: shares the bytes of the messages.
#pragma once

#include <array>
#include <cstddef>

#include "absl/container/inlined_vector.h"
#include "base/byte_chain.h"
#include "proxy/output_buffer.h"

namespace lattice::proxy {

class OutgoingBody {
 public:
  void push_message(const ByteChain& message, bool compressed);
  void push_raw(Bytes bytes);
  // With prefixes: what goes into DATA frames.
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Without prefixes: what ServerStream::pending_bytes counts.
  size_t message_bytes() const { return message_bytes_; }
  // Whether the next byte starts a message: ending here cuts none in two.
  bool at_boundary() const { return at_boundary_; }
  // Moves `size` bytes (<= size()) to `out`; answers how many of them were message bytes.
  size_t take(size_t size, OutputBuffer& out);
  void clear();

 private:
  struct Part {
    Bytes bytes;
    std::array<char, 5> prefix{};
    uint8_t prefix_size = 0;  // 5 on the first part of a message
    bool ends_message = false;
  };

  absl::InlinedVector<Part, 2> parts_;
  size_t head_ = 0;
  size_t head_offset_ = 0;  // sent of parts_[head_], its prefix included
  size_t size_ = 0;
  size_t message_bytes_ = 0;
  bool at_boundary_ = true;
};

}  // namespace lattice::proxy
