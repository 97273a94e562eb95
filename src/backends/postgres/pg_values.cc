#include "backends/postgres/pg_values.h"

#include <algorithm>

namespace lattice::backends {
namespace {

// Takes four bytes off the front; a number out of range when they are not there.
int64_t take_int4(std::string_view* encoded) {
  if (encoded->size() < 4) return INT64_MAX;
  const uint64_t value = read_big_endian(encoded->substr(0, 4));
  encoded->remove_prefix(4);
  return static_cast<int32_t>(value);
}

}  // namespace

PgArray::PgArray(uint32_t element_oid, size_t count, size_t width, size_t bytes) {
  encoded_.reserve(20 + count * (4 + width) + bytes);
  append_big_endian(int32_t{count > 0 ? 1 : 0}, &encoded_);  // dimensions
  append_big_endian(int32_t{0}, &encoded_);                  // no nulls
  append_big_endian(element_oid, &encoded_);
  if (count == 0) return;
  append_big_endian(static_cast<int32_t>(count), &encoded_);
  append_big_endian(int32_t{1}, &encoded_);  // the first subscript
}

size_t PgParams::bytes() const {
  size_t bytes = 0;
  for (const std::string& value : values_) bytes += value.size();
  return bytes;
}

PgParams::Arrays PgParams::arrays() const {
  Arrays arrays;
  for (const std::string& value : values_) {
    arrays.values.push_back(value.data());
    arrays.lengths.push_back(static_cast<int>(value.size()));
    arrays.formats.push_back(1);
  }
  return arrays;
}

int64_t PgResult::integer(int row, int column) const {
  const std::string_view encoded = bytes(row, column);
  if (encoded.empty() || encoded.size() > 8) return 0;
  // The sign is the first byte's.
  const size_t spare_bits = 64 - 8 * encoded.size();
  return static_cast<int64_t>(read_big_endian(encoded) << spare_bits) >> spare_bits;
}

std::vector<std::string> PgResult::strings(int row, int column) const {
  std::string_view encoded = bytes(row, column);
  const int64_t dimensions = take_int4(&encoded);
  (void)take_int4(&encoded);  // whether there are nulls
  (void)take_int4(&encoded);  // the elements' type
  if (dimensions != 1) return {};
  const int64_t count = take_int4(&encoded);
  (void)take_int4(&encoded);  // the first subscript
  std::vector<std::string> strings;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t size = std::max<int64_t>(0, take_int4(&encoded));  // -1: null
    if (static_cast<uint64_t>(size) > encoded.size()) return {};
    strings.emplace_back(encoded.substr(0, static_cast<size_t>(size)));
    encoded.remove_prefix(static_cast<size_t>(size));
  }
  return strings;
}

std::string_view PgResult::bytes(int row, int column) const {
  if (row >= rows() || column >= PQnfields(result_.get())) return {};
  return {PQgetvalue(result_.get(), row, column),
          static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}

}  // namespace lattice::backends
