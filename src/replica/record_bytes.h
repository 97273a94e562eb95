// The canonical bytes of a record: what a batch's digest covers, and how a record travels outside a
// database (docs/log-format.md has the layout). Fixed-width big-endian numbers, then key and value,
// so that equal records have equal bytes and nothing else does. Thread: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"
#include "keyspace/record.h"

namespace lattice::replica {

// Everything before the key: kind, revision, sub, create_revision, version, lease, number, key
// size, value size.
inline constexpr size_t record_head_bytes = 1 + 8 + 4 + 8 + 8 + 8 + 8 + 4 + 4;

// Appends the canonical bytes of `record` to *out.
// Requires: key and value below 4 GiB.
void append_record_bytes(const keyspace::Record& record, std::string* out);
// Writes the first record_head_bytes of them to `head`; key and value follow in that order.
void write_record_head(const keyspace::Record& record, char* head);

// Takes one record off the front of *bytes; its key and value are copies.
// Errors: backend_corrupt for truncated bytes or a record that validate_record refuses; *bytes is
// then unspecified.
Result<keyspace::Record> take_record_bytes(std::string_view* bytes);

// What holds for every record that Lattice has written, whatever the log around it looks like. Rows
// and messages pass here before anything is built on them. Errors: backend_corrupt, naming the
// field.
Status validate_record(const keyspace::Record& record);

}  // namespace lattice::replica
