#include "proxy/message_assembler.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "base/big_endian.h"

namespace lattice::proxy {

MessageAssembler::Outcome MessageAssembler::feed(std::string_view* bytes, Receiver receiver) {
  while (!bytes->empty()) {
    if (header_size_ < header_bytes) {
      if (const Outcome outcome = take_header(bytes); outcome != Outcome::ok) return outcome;
      if (header_size_ < header_bytes || (bytes->empty() && length_ > 0)) return Outcome::ok;
    }
    Bytes message;
    const size_t missing = length_ - partial_.size();
    if (partial_.size() == 0 && bytes->size() >= missing) {
      message = Bytes::copy(bytes->substr(0, missing));
      bytes->remove_prefix(missing);
    } else {
      const size_t taken = std::min(bytes->size(), missing);
      grow(partial_.size() + taken);
      partial_.append(bytes->substr(0, taken));
      bytes->remove_prefix(taken);
      if (partial_.size() < length_) return Outcome::ok;
      message = partial_.take();
    }
    const bool compressed = flag_ == 1;
    reset();
    if (!receiver(std::move(message), compressed)) return Outcome::stopped;
  }
  return Outcome::ok;
}

MessageAssembler::Outcome MessageAssembler::take_header(std::string_view* bytes) {
  const size_t taken = std::min(bytes->size(), header_bytes - header_size_);
  std::memcpy(header_ + header_size_, bytes->data(), taken);
  header_size_ = static_cast<uint8_t>(header_size_ + taken);
  bytes->remove_prefix(taken);
  if (header_size_ < header_bytes) return Outcome::ok;
  flag_ = header_[0];
  length_ = static_cast<uint32_t>(read_big_endian(std::span(header_).subspan(1)));
  if (flag_ > 1) return Outcome::bad_flag;
  if (length_ > message_bytes_max_) return Outcome::too_large;
  return Outcome::ok;
}

void MessageAssembler::grow(size_t wanted) {
  if (wanted <= partial_.capacity()) return;
  partial_.move_to(
      std::min<size_t>(length_, std::max({wanted, 2 * partial_.capacity(), first_allocation})));
}

void MessageAssembler::reset() {
  header_size_ = 0;
  length_ = 0;
  partial_ = {};
}

}  // namespace lattice::proxy
