// Walks a caller's parts in pieces of a TLS record's size: small parts are gathered, large ones
// stay where they lie. Thread: one. Ownership: refers to the parts.
#pragma once

#include <openssl/ssl3.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

namespace lattice::tls {

class Records {
 public:
  explicit Records(std::span<const iovec> parts) : parts_(parts) {
    for (const iovec& part : parts) left_ += part.iov_len;
  }
  // Of all that is to come, bytes.
  size_t left() const { return left_; }

  // Empty at the end. Lives until the next call.
  std::string_view next() {
    const std::string_view first = take(record_bytes);
    if (first.size() == record_bytes || left_ == 0) return first;
    std::memcpy(gathered_.data(), first.data(), first.size());
    size_t size = first.size();
    while (size < record_bytes && left_ > 0) {
      const std::string_view more = take(record_bytes - size);
      std::memcpy(gathered_.data() + size, more.data(), more.size());
      size += more.size();
    }
    return {gathered_.data(), size};
  }

 private:
  static constexpr size_t record_bytes = SSL3_RT_MAX_PLAIN_LENGTH;

  // From one part.
  std::string_view take(size_t size_max) {
    while (part_ < parts_.size() && offset_ == parts_[part_].iov_len) {
      ++part_;
      offset_ = 0;
    }
    if (part_ == parts_.size()) return {};
    const size_t size = std::min(parts_[part_].iov_len - offset_, size_max);
    const std::string_view taken(static_cast<const char*>(parts_[part_].iov_base) + offset_, size);
    offset_ += size;
    left_ -= size;
    return taken;
  }

  const std::span<const iovec> parts_;
  size_t part_ = 0;
  size_t offset_ = 0;  // in it
  size_t left_ = 0;
  std::array<char, record_bytes> gathered_;
};

}  // namespace lattice::tls
