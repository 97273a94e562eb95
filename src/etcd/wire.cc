#include "etcd/wire.h"

namespace lattice::etcd {
namespace {

// Deep enough for any group a client could mean, shallow enough for the stack.
constexpr int group_depth_max = 100;
constexpr uint32_t end_group = 4;

}  // namespace

// A varint of at most `bytes_max` bytes; what lies above the 64th bit is dropped.
bool WireReader::take_limited(int bytes_max, uint64_t* value) {
  uint64_t result = 0;
  for (int shift = 0; shift < 7 * bytes_max; shift += 7) {
    if (at_ == end_) return fail();
    auto byte = static_cast<uint8_t>(*at_++);
    result |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *value = result;
      return true;
    }
  }
  return fail();
}

bool WireReader::take_varint(uint64_t* value) { return take_limited(10, value); }

bool WireReader::take_length(size_t* size) {
  uint64_t value = 0;
  if (!take_limited(5, &value)) return false;
  if (value > static_cast<uint64_t>(end_ - at_)) return fail();
  *size = value;
  return true;
}

// Field and type of the next tag. As in the generated parsers, five bytes at most, of which 32 bits
// count.
bool WireReader::take_tag(uint32_t* field, uint32_t* type) {
  uint64_t value = 0;
  if (!take_limited(5, &value)) return false;
  auto tag = static_cast<uint32_t>(value);
  *field = tag >> 3;
  *type = tag & 7;
  if (*field == 0 || *type > 5) return fail();
  return true;
}

bool WireReader::next() {
  uint32_t type = 0;
  if (at_ == end_ || !take_tag(&field_, &type)) return false;
  if (type == end_group) return fail();
  type_ = static_cast<WireType>(type);
  return true;
}

bool WireReader::read_view(std::string_view* view) {
  if (type_ != WireType::bytes) {
    skip();
    return false;
  }
  size_t size = 0;
  if (!take_length(&size)) return false;
  *view = {at_, size};
  at_ += size;
  return true;
}

void WireReader::skip() { skip_value(0); }

void WireReader::skip_value(int depth) {
  uint64_t ignored = 0;
  size_t size = 0;
  switch (type_) {
    case WireType::varint:
      take_varint(&ignored);
      return;
    case WireType::bytes:
      if (!take_length(&size)) return;
      break;
    case WireType::fixed64:
      size = 8;
      break;
    case WireType::fixed32:
      size = 4;
      break;
    case WireType::group:
      return skip_group(field_, depth + 1);
  }
  if (size > static_cast<size_t>(end_ - at_)) {
    fail();
    return;
  }
  at_ += size;
}

void WireReader::skip_group(uint32_t field, int depth) {
  if (depth > group_depth_max) {
    fail();
    return;
  }
  uint32_t type = 0;
  while (take_tag(&field_, &type)) {
    if (type == end_group) {
      if (field_ != field) fail();
      return;
    }
    type_ = static_cast<WireType>(type);
    skip_value(depth);
  }
}

}  // namespace lattice::etcd
