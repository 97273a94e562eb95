// The bytes of one message while they come: where there is no more room, they move to a larger
// allocation. How much larger is for the owner to say, who knows what the message may cost.
//
// Thread: one.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/bytes.h"

namespace lattice::proxy {

class GrowingBytes {
 public:
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  // What may be written at end(), and then belongs to it once it is told of.
  size_t room() const { return capacity_ - size_; }
  char* end() { return data_ + size_; }
  void written(size_t size) { size_ += size; }
  // Requires: room() for them.
  void append(std::string_view bytes) {
    std::memcpy(end(), bytes.data(), bytes.size());
    written(bytes.size());
  }
  // Requires: capacity >= size().
  void move_to(size_t capacity) {
    char* data = nullptr;
    Bytes larger = Bytes::allocate(capacity, &data);
    if (size_ > 0) std::memcpy(data, data_, size_);
    block_ = std::move(larger);
    data_ = data;
    capacity_ = capacity;
  }
  // All that was written; nothing is left. An allocation of which most is empty is not kept: what
  // is taken may live as long as anything that refers to it.
  Bytes take() {
    const GrowingBytes all = std::exchange(*this, {});
    return all.size_ < all.capacity_ / 2 ? Bytes::copy({all.data_, all.size_})
                                         : all.block_.slice(0, all.size_);
  }

 private:
  Bytes block_;
  char* data_ = nullptr;
  size_t capacity_ = 0;
  size_t size_ = 0;
};

}  // namespace lattice::proxy
