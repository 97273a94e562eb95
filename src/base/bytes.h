// Immutable, reference-counted bytes. One encoded key-value is shared by the index, the history, a
// thousand watchers and every response that carries it; nobody copies it to send it.
//
// Thread: a Bytes is a value owned by one thread; the block behind it may be shared between threads
//   (the count is atomic, the content never changes after construction).
// Ownership: intrusive count in Block; the last Bytes (or Ref) frees the block.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace lattice {

// The head of a counted allocation. Types that carry more before their bytes derive from it and
// must be trivially destructible: a block is freed without calling anything.
class Block {
 public:
  Block() = default;
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  void retain() const { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() const {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) free_block(this);
  }

 private:
  static void free_block(const Block* block);
  mutable std::atomic<uint32_t> references_{1};
};

// An owning pointer to a T derived from Block.
template <class T>
class Ref {
 public:
  Ref() = default;
  // Takes over the count that the block was born with.
  static Ref adopt(T* block) {
    Ref ref;
    ref.block_ = block;
    return ref;
  }
  static Ref share(T* block) {
    if (block != nullptr) block->retain();
    return adopt(block);
  }
  Ref(const Ref& other) : block_(other.block_) {
    if (block_ != nullptr) block_->retain();
  }
  Ref(Ref&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Ref() {
    if (block_ != nullptr) block_->release();
  }
  T* get() const { return block_; }
  T* operator->() const { return block_; }
  T& operator*() const { return *block_; }
  explicit operator bool() const { return block_ != nullptr; }
  bool operator==(const Ref& other) const { return block_ == other.block_; }

 private:
  T* block_ = nullptr;
};

class Bytes {
 public:
  Bytes() = default;
  static Bytes copy(std::string_view from);
  // `size` uninitialised bytes to fill through `*data` before the Bytes is shared.
  static Bytes allocate(size_t size, char** data);
  // Part of a block; `data` must lie within memory that `block` keeps alive.
  static Bytes within(const Block* block, const char* data, size_t size) {
    block->retain();
    return Bytes(block, data, size);
  }
  // Bytes that live for ever (literals): no block, no count.
  static Bytes literal(std::string_view text) { return Bytes(nullptr, text.data(), text.size()); }

  Bytes(const Bytes& other) : block_(other.block_), data_(other.data_), size_(other.size_) {
    if (block_ != nullptr) block_->retain();
  }
  Bytes(Bytes&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Bytes& operator=(Bytes other) noexcept {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Bytes() {
    if (block_ != nullptr) block_->release();
  }

  const char* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }
  // Requires: offset + size <= this->size().
  Bytes slice(size_t offset, size_t size) const {
    if (block_ != nullptr) block_->retain();
    return Bytes(block_, data_ + offset, size);
  }
  bool operator==(const Bytes& other) const { return view() == other.view(); }

 private:
  Bytes(const Block* block, const char* data, size_t size)
      : block_(block), data_(data), size_(size) {}
  const Block* block_ = nullptr;
  const char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace lattice
