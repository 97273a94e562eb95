#include "proxy/output_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lattice::proxy {

std::unique_ptr<ChunkPool::Chunk> ChunkPool::get() {
  // Not value-initialised: clearing 32 KiB costs more than most responses.
  if (free_.empty()) return std::unique_ptr<Chunk>(new Chunk);
  std::unique_ptr<Chunk> chunk = std::move(free_.back());
  free_.pop_back();
  chunk->used = 0;
  chunk->segments = 0;
  return chunk;
}

void ChunkPool::put(std::unique_ptr<Chunk> chunk) {
  if (free_.size() < kept_max) free_.push_back(std::move(chunk));
}

void OutputBuffer::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (tail_ == nullptr || tail_->used == ChunkPool::Chunk::chunk_bytes) open_chunk();
    char* place = tail_->data + tail_->used;
    const size_t copied = std::min(bytes.size(), ChunkPool::Chunk::chunk_bytes - tail_->used);
    std::memcpy(place, bytes.data(), copied);
    tail_->used += copied;
    size_ += copied;
    const bool extends = head_ < segments_.size() && segments_.back().chunk == tail_ &&
                         segments_.back().data + segments_.back().size == place;
    if (extends) {
      segments_.back().size += copied;
    } else {
      segments_.push_back({place, copied, tail_, {}});
      ++tail_->segments;
    }
    bytes.remove_prefix(copied);
  }
}

void OutputBuffer::append(const Bytes& part, size_t offset, size_t size) {
  if (size < reference_bytes_min) return append(part.view().substr(offset, size));
  Segment segment;
  segment.reference = part.slice(offset, size);
  segment.data = segment.reference.data();
  segment.size = size;
  segments_.push_back(std::move(segment));
  size_ += size;
}

std::span<const iovec> OutputBuffer::front(std::span<iovec> into) const {
  const size_t count = std::min(into.size(), segments_.size() - head_);
  for (size_t i = 0; i < count; ++i) {
    const Segment& segment = segments_[head_ + i];
    into[i].iov_base = const_cast<char*>(segment.data);
    into[i].iov_len = segment.size;
  }
  return into.first(count);
}

void OutputBuffer::consume(size_t bytes) {
  size_ -= bytes;
  while (bytes > 0) {
    Segment& segment = segments_[head_];
    const size_t taken = std::min(bytes, segment.size);
    segment.data += taken;
    segment.size -= taken;
    bytes -= taken;
    if (segment.size > 0) break;
    release(segment);
    ++head_;
  }
  if (size_ == 0) {
    clear();
  } else if (head_ > 256) {
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<ptrdiff_t>(head_));
    head_ = 0;
  }
}

void OutputBuffer::clear() {
  for (; head_ < segments_.size(); ++head_) release(segments_[head_]);
  segments_.clear();
  head_ = 0;
  size_ = 0;
  if (tail_ != nullptr) pool_.put(std::unique_ptr<ChunkPool::Chunk>(std::exchange(tail_, nullptr)));
}

void OutputBuffer::release(Segment& segment) {
  segment.reference = {};
  ChunkPool::Chunk* chunk = std::exchange(segment.chunk, nullptr);
  if (chunk == nullptr || --chunk->segments > 0 || chunk == tail_) return;
  pool_.put(std::unique_ptr<ChunkPool::Chunk>(chunk));
}

void OutputBuffer::open_chunk() {
  ChunkPool::Chunk* full = std::exchange(tail_, pool_.get().release());
  if (full != nullptr && full->segments == 0) pool_.put(std::unique_ptr<ChunkPool::Chunk>(full));
}

}  // namespace lattice::proxy
