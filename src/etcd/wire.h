// The protobuf wire format by hand, for the messages that a busy server handles all day. Everything
// else goes through the generated classes, and tests hold the two against each other.
// Thread: values.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace lattice::etcd {

enum class WireType : uint8_t { varint = 0, fixed64 = 1, bytes = 2, group = 3, fixed32 = 5 };

inline constexpr size_t varint_size(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}

inline char* put_varint(char* at, uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<char>(value);
  return at;
}

// Fields with numbers up to 15, whose tag is one byte. proto3 leaves zeros out.
inline constexpr size_t number_field_size(uint64_t value) {
  return value == 0 ? 0 : 1 + varint_size(value);
}
inline char* put_number_field(char* at, uint32_t field, uint64_t value) {
  if (value == 0) return at;
  *at++ = static_cast<char>(field << 3);
  return put_varint(at, value);
}
inline char* put_length_prefix(char* at, uint32_t field, size_t size) {
  *at++ = static_cast<char>(field << 3 | static_cast<uint32_t>(WireType::bytes));
  return put_varint(at, size);
}
// Of a message or bytes field, prefix included.
inline constexpr size_t length_delimited_size(size_t size) { return 1 + varint_size(size) + size; }

// Walks over the fields of one message:
//
//   WireReader in(bytes);
//   while (in.next()) switch (in.field()) { case 1: ...; default: in.skip(); }
//   if (in.failed()) ...
//
// A known field that comes with an unexpected wire type is skipped like an unknown one, as the
// generated parsers do. Ownership: views point into the bytes that were given.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  // Reads the next tag; false at the end or when the bytes are malformed.
  bool next();
  uint32_t field() const { return field_; }
  bool failed() const { return failed_; }

  // Each takes the field's value if it has the right type and skips it otherwise.
  void read(int64_t* value) { read_number(value); }
  void read(bool* value) {
    read_varint([value](uint64_t v) { *value = v != 0; });
  }
  template <class Enum>
    requires std::is_enum_v<Enum>
  void read(Enum* value) {
    read_varint([value](uint64_t v) { *value = static_cast<Enum>(static_cast<int32_t>(v)); });
  }
  void read(std::string* value) {
    std::string_view view;
    if (read_view(&view)) value->assign(view);
  }
  // False if the field had another type (then it is skipped) or the bytes end too early.
  bool read_number(int64_t* value) {
    bool taken = false;
    read_varint([&](uint64_t v) {
      *value = static_cast<int64_t>(v);
      taken = true;
    });
    return taken;
  }
  bool read_view(std::string_view* view);
  void skip();

 private:
  template <class Take>
  void read_varint(Take take) {
    uint64_t value = 0;
    if (type_ != WireType::varint) return skip();
    if (take_varint(&value)) take(value);
  }
  bool take_limited(int bytes_max, uint64_t* value);
  bool take_varint(uint64_t* value);
  bool take_tag(uint32_t* field, uint32_t* type);
  bool take_length(size_t* size);
  void skip_group(uint32_t field, int depth);
  void skip_value(int depth);
  bool fail() {
    failed_ = true;
    at_ = end_;
    return false;
  }

  const char* at_;
  const char* end_;
  uint32_t field_ = 0;
  WireType type_ = WireType::varint;
  bool failed_ = false;
};

}  // namespace lattice::etcd
