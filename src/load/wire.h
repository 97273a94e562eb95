// Protobuf's wire format by hand: a generated message class would cost more per request than the
// server under test spends on it.
// Ownership: writers append to a string they do not own; readers return views into their input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lattice::load {

// Of a gRPC message: not compressed, and its length in four bytes.
inline constexpr size_t frame_prefix = 5;

class WireWriter {
 public:
  explicit WireWriter(std::string& out) : out_(out) {}

  void varint(uint64_t value);
  // Zero is protobuf's default and is left out.
  void number(uint32_t field, uint64_t value);
  void bytes(uint32_t field, std::string_view value);

  static size_t varint_size(uint64_t value);
  static size_t bytes_field_size(size_t length) { return 1 + varint_size(length) + length; }

 private:
  std::string& out_;
};

struct WireField {
  uint32_t number = 0;
  uint64_t varint = 0;
  std::string_view bytes;
};

// Walks the fields of one message. Varints and length-delimited fields only: the etcd API uses no
// other wire type.
class WireReader {
 public:
  explicit WireReader(std::string_view in) : at_(in.data()), end_(in.data() + in.size()) {}

  // False at the end and on malformed input; failed() tells which.
  bool next(WireField& field);
  bool failed() const { return failed_; }

 private:
  bool read_varint(uint64_t& value);
  bool fail() {
    failed_ = true;
    return false;
  }

  const char* at_;
  const char* end_;
  bool failed_ = false;
};

}  // namespace lattice::load
