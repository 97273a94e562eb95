// A message made of several Bytes, in order: how a response of ten thousand key-values is built
// without copying one of them.
// Thread: owned by one thread.
#pragma once

#include "absl/container/inlined_vector.h"
#include "base/bytes.h"

namespace lattice {

class ByteChain {
 public:
  using Parts = absl::InlinedVector<Bytes, 2>;

  ByteChain() = default;
  explicit ByteChain(Bytes bytes) { append(std::move(bytes)); }

  void append(Bytes bytes) {
    if (bytes.empty()) return;
    size_ += bytes.size();
    parts_.push_back(std::move(bytes));
  }
  void append(ByteChain chain) {
    for (Bytes& part : chain.parts_) append(std::move(part));
  }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const Parts& parts() const { return parts_; }
  // One contiguous copy; for tests and small messages.
  std::string flatten() const {
    std::string out;
    out.reserve(size_);
    for (const Bytes& part : parts_) out.append(part.view());
    return out;
  }

 private:
  Parts parts_;
  size_t size_ = 0;
};

}  // namespace lattice
