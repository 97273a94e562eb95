// PostgreSQL's binary formats: parameters on their way out, columns on their way in.
// Thread: values; a PgParams' views must live until the command was sent.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/big_endian.h"

namespace lattice::backends {

// A one-dimensional array without nulls, element by element.
class PgArray {
 public:
  static PgArray int2(size_t count) { return PgArray(21, count, 2); }
  static PgArray int4(size_t count) { return PgArray(23, count, 4); }
  static PgArray int8(size_t count) { return PgArray(20, count, 8); }
  // `bytes`: of all elements together.
  static PgArray bytea(size_t count, size_t bytes) { return PgArray(17, count, 0, bytes); }

  // `bytes`: of all elements together.
  static PgArray text(size_t count, size_t bytes) { return PgArray(25, count, 0, bytes); }

  // Requires: T has the array's width.
  template <class T>
  void add(T value) {
    append_big_endian(static_cast<int32_t>(sizeof(T)), &encoded_);
    append_big_endian(value, &encoded_);
  }
  void add(std::string_view bytes) {
    append_big_endian(static_cast<int32_t>(bytes.size()), &encoded_);
    encoded_.append(bytes);
  }
  std::string&& take() { return std::move(encoded_); }

 private:
  PgArray(uint32_t element_oid, size_t count, size_t width, size_t bytes = 0);
  std::string encoded_;
};

class PgParams {
 public:
  void add_int4(int32_t value) { add_integer(value); }
  void add_int8(int64_t value) { add_integer(value); }
  void add_bool(bool value) { add_owned(std::string(1, value ? '\1' : '\0')); }
  void add_array(PgArray array) { add_owned(array.take()); }
  void add_text(std::string text) { add_owned(std::move(text)); }
  // bytea; a copy.
  void add_bytes(std::string_view bytes) { add_owned(std::string(bytes)); }

  int count() const { return static_cast<int>(values_.size()); }
  size_t bytes() const;
  // Arrays as libpq takes them.
  struct Arrays {
    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
  };
  Arrays arrays() const;

 private:
  template <class T>
  void add_integer(T value) {
    std::string encoded;
    append_big_endian(value, &encoded);
    add_owned(std::move(encoded));
  }
  void add_owned(std::string encoded) { values_.push_back(std::move(encoded)); }
  std::vector<std::string> values_;
};

// A result whose columns are binary. Readers answer 0 or nothing for NULL and for a width that does
// not fit: what such a row means is judged where it becomes a record or a header.
class PgResult {
 public:
  PgResult() = default;
  explicit PgResult(PGresult* result) : result_(result) {}

  int rows() const { return result_ ? PQntuples(result_.get()) : 0; }
  int64_t integer(int row, int column) const;
  bool boolean(int row, int column) const {
    return bytes(row, column) == std::string_view("\1", 1);
  }
  // A one-dimensional array of text or bytea; nothing for anything else.
  std::vector<std::string> strings(int row, int column) const;
  // Valid as long as the result.
  std::string_view bytes(int row, int column) const;
  const PGresult* get() const { return result_.get(); }
  explicit operator bool() const { return result_ != nullptr; }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

}  // namespace lattice::backends
