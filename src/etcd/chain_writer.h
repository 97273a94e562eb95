// Builds a message of copied bytes with larger pieces spliced in between: first count what will be
// copied, then write.
// Thread: one. Requires: exactly as many bytes are copied in as were announced.
#pragma once

#include <cassert>
#include <string_view>

#include "base/byte_chain.h"
#include "etcd/wire.h"

namespace lattice::etcd {

class ChainWriter {
 public:
  explicit ChainWriter(size_t copied_bytes) : block_(Bytes::allocate(copied_bytes, &start_)) {
    at_ = start_;
    flushed_ = start_;
  }

  void number(uint32_t field, uint64_t value) { at_ = put_number_field(at_, field, value); }
  void boolean(uint32_t field, bool value) { number(field, value ? 1 : 0); }
  void length_prefix(uint32_t field, size_t size) { at_ = put_length_prefix(at_, field, size); }
  void copy(std::string_view bytes) {
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void splice(Bytes bytes) {
    flush();
    chain_.append(std::move(bytes));
  }
  ByteChain finish() {
    assert(at_ == block_.data() + block_.size());
    if (flushed_ == start_) {  // nothing was spliced: the block is the message
      chain_.append(std::move(block_));
    } else {
      flush();
    }
    return std::move(chain_);
  }

 private:
  void flush() {
    if (at_ == flushed_) return;
    chain_.append(
        block_.slice(static_cast<size_t>(flushed_ - start_), static_cast<size_t>(at_ - flushed_)));
    flushed_ = at_;
  }

  char* start_ = nullptr;
  Bytes block_;
  char* at_ = nullptr;
  char* flushed_ = nullptr;
  ByteChain chain_;
};

}  // namespace lattice::etcd
