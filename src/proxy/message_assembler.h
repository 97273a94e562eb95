// Cuts the body of a gRPC request into messages: a flag byte, a 32-bit length, the content.
//
// A message that arrives whole in one piece is copied once. Memory grows as bytes arrive, never
// ahead of them by more than the bytes that are there already: a length alone reserves next to
// nothing.
//
// Thread: the connection's loop.
// Invariant: held() <= 2 * the bytes received of the unfinished message + first_allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "base/bytes.h"
#include "proxy/growing_bytes.h"

namespace lattice::proxy {

class MessageAssembler {
 public:
  enum class Outcome : uint8_t {
    ok,
    stopped,    // the receiver answered false
    too_large,  // length() is what was announced
    bad_flag,   // flag() is neither 0 nor 1
  };
  // Takes one message; answers whether to go on.
  using Receiver = absl::FunctionRef<bool(Bytes message, bool compressed)>;

  explicit MessageAssembler(size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

  // For the messages that have not begun yet.
  void limit(size_t message_bytes_max) { message_bytes_max_ = message_bytes_max; }

  // Anything but `ok` is final: the rest of the body means nothing.
  // After `stopped`, `bytes` is what follows the message.
  Outcome feed(std::string_view* bytes, Receiver receiver);
  // Whether the body may end here.
  bool at_boundary() const { return header_size_ == 0; }
  size_t held() const { return partial_.capacity(); }
  uint32_t length() const { return length_; }
  uint8_t flag() const { return flag_; }
  void reset();

 private:
  static constexpr size_t header_bytes = 5;
  static constexpr size_t first_allocation = 16 << 10;
  Outcome take_header(std::string_view* bytes);
  void grow(size_t wanted);

  size_t message_bytes_max_;
  uint8_t header_[header_bytes] = {};
  uint8_t header_size_ = 0;
  uint8_t flag_ = 0;
  uint32_t length_ = 0;
  GrowingBytes partial_;
};

}  // namespace lattice::proxy
