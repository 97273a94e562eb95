#include "load/wire.h"

namespace lattice::load {

void WireWriter::varint(uint64_t value) {
  while (value >= 0x80) {
    out_.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out_.push_back(static_cast<char>(value));
}

void WireWriter::number(uint32_t field, uint64_t value) {
  if (value == 0) return;
  varint(uint64_t{field} << 3);
  varint(value);
}

void WireWriter::bytes(uint32_t field, std::string_view value) {
  varint(uint64_t{field} << 3 | 2);
  varint(value.size());
  out_.append(value);
}

size_t WireWriter::varint_size(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

bool WireReader::read_varint(uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && at_ != end_; shift += 7) {
    const auto byte = static_cast<uint8_t>(*at_++);
    value |= uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return true;
  }
  return fail();
}

bool WireReader::next(WireField& field) {
  if (at_ == end_) return false;
  uint64_t tag = 0;
  if (!read_varint(tag)) return false;
  field.number = static_cast<uint32_t>(tag >> 3);
  switch (tag & 7) {
    case 0:
      field.bytes = {};
      return read_varint(field.varint);
    case 2: {
      uint64_t length = 0;
      if (!read_varint(length)) return false;
      if (length > static_cast<uint64_t>(end_ - at_)) return fail();
      field.varint = 0;
      field.bytes = {at_, static_cast<size_t>(length)};
      at_ += length;
      return true;
    }
    default:
      return fail();
  }
}

}  // namespace lattice::load
