// Rows of the tables `batch` and `record` on their way into a Record or a BatchHeader. The
// databases differ in how a column is read; what a row must look like is decided here, once. A row
// may have been changed by anybody with a SQL client, so nothing in it is trusted. Thread: pure
// functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "replica/batch.h"

namespace lattice::backends {

// The columns of `record` that make a Record. Views into the database's buffers.
struct StoredRecord {
  int64_t kind = 0;
  int64_t revision = 0;
  int64_t sub = 0;
  std::string_view key;
  std::string_view value;
  int64_t create_revision = 0;
  int64_t version = 0;
  int64_t lease = 0;
  int64_t number = 0;
};

// Copies key and value, into one allocation.
// Errors: backend_corrupt.
Result<keyspace::Record> to_record(const StoredRecord& row);

struct StoredHeader {
  int64_t seq = 0;
  std::string_view previous;
  std::string_view digest;
  int64_t epoch = 0;
  std::string_view incarnation;
  std::string_view batch_id;
  int64_t last_revision = 0;
  int64_t record_count = 0;
};

// Errors: backend_corrupt.
Result<replica::BatchHeader> to_header(const StoredHeader& row);

// An array as the bytes that a database stores.
template <class Array>
std::string_view bytes_of(const Array& array) {
  return {reinterpret_cast<const char*>(array.data()), array.size()};
}

// The other way; false when the size differs.
template <class Array>
bool copy_exactly(std::string_view from, Array* to) {
  if (from.size() != to->size()) return false;
  from.copy(reinterpret_cast<char*>(to->data()), from.size());
  return true;
}

}  // namespace lattice::backends
