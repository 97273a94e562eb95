#include "proxy/outgoing_body.h"

#include <algorithm>
#include <utility>

namespace lattice::proxy {

void OutgoingBody::push_message(const ByteChain& message, bool compressed) {
  const auto length = static_cast<uint32_t>(message.size());
  Part first;
  first.prefix = {static_cast<char>(compressed), static_cast<char>(length >> 24),
                  static_cast<char>(length >> 16), static_cast<char>(length >> 8),
                  static_cast<char>(length)};
  first.prefix_size = 5;
  if (message.empty()) {
    parts_.push_back(std::move(first));
  } else {
    for (const Bytes& bytes : message.parts()) {
      first.bytes = bytes;
      parts_.push_back(std::move(first));
      first = Part();
    }
  }
  parts_.back().ends_message = true;
  size_ += message.size() + 5;
  message_bytes_ += message.size();
}

void OutgoingBody::push_raw(Bytes bytes) {
  if (bytes.empty()) return;
  size_ += bytes.size();
  message_bytes_ += bytes.size();
  Part part;
  part.bytes = std::move(bytes);
  part.ends_message = true;
  parts_.push_back(std::move(part));
}

size_t OutgoingBody::take(size_t size, OutputBuffer& out) {
  size_t message_bytes = 0;
  size_ -= size;
  while (size > 0) {
    Part& part = parts_[head_];
    if (head_offset_ < part.prefix_size) {
      const size_t taken = std::min<size_t>(size, part.prefix_size - head_offset_);
      out.append(std::string_view(part.prefix.data() + head_offset_, taken));
      head_offset_ += taken;
      size -= taken;
    }
    const size_t offset = head_offset_ < part.prefix_size ? 0 : head_offset_ - part.prefix_size;
    const size_t taken = std::min(size, part.bytes.size() - offset);
    out.append(part.bytes, offset, taken);
    head_offset_ += taken;
    size -= taken;
    message_bytes += taken;
    at_boundary_ = false;
    if (head_offset_ == part.prefix_size + part.bytes.size()) {
      at_boundary_ = part.ends_message;
      part.bytes = {};
      ++head_;
      head_offset_ = 0;
    }
  }
  message_bytes_ -= message_bytes;
  if (head_ == parts_.size()) {
    parts_.clear();
    head_ = 0;
  } else if (head_ >= 64 && head_ * 2 >= parts_.size()) {
    parts_.erase(parts_.begin(), parts_.begin() + static_cast<ptrdiff_t>(head_));
    head_ = 0;
  }
  return message_bytes;
}

void OutgoingBody::clear() {
  parts_.clear();
  head_ = 0;
  head_offset_ = 0;
  size_ = 0;
  message_bytes_ = 0;
  at_boundary_ = true;
}

}  // namespace lattice::proxy
