// What a database or a peer may hand us as a record: whatever it is, it is refused or it becomes a
// record whose bytes are the ones that came in.

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "backends/common/stored_row.h"
#include "replica/record_bytes.h"

namespace {

using lattice::backends::StoredHeader;
using lattice::backends::StoredRecord;

class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}
  int64_t integer() {
    int64_t value = 0;
    const std::string_view part = take(sizeof(value));
    std::memcpy(&value, part.data(), part.size());
    return value;
  }
  std::string_view take(size_t size) {
    const std::string_view part = bytes_.substr(0, size);
    bytes_.remove_prefix(part.size());
    return part;
  }
  size_t size_byte() {
    const std::string_view one = take(1);
    return one.empty() ? 0 : static_cast<uint8_t>(one[0]);
  }

 private:
  std::string_view bytes_;
};

void expect(bool holds) {
  if (!holds) std::abort();
}

void canonical_bytes(std::string_view input) {
  std::string_view rest = input;
  while (!rest.empty()) {
    const std::string_view before = rest;
    auto record = lattice::replica::take_record_bytes(&rest);
    if (!record.ok()) return;
    std::string again;
    lattice::replica::append_record_bytes(*record, &again);
    expect(again == before.substr(0, before.size() - rest.size()));
  }
}

void rows(std::string_view bytes) {
  Input input(bytes);
  StoredRecord row;
  row.kind = input.integer();
  row.revision = input.integer();
  row.sub = input.integer();
  row.create_revision = input.integer();
  row.version = input.integer();
  row.lease = input.integer();
  row.number = input.integer();
  row.key = input.take(input.size_byte());
  row.value = input.take(input.size_byte());
  if (auto record = lattice::backends::to_record(row); record.ok()) {
    expect(record->key.view() == row.key && record->value.view() == row.value);
    expect(static_cast<int64_t>(record->kind) == row.kind && record->sub == row.sub);
  }
  StoredHeader header;
  header.seq = input.integer();
  header.epoch = input.integer();
  header.last_revision = input.integer();
  header.record_count = input.integer();
  header.previous = input.take(input.size_byte());
  header.digest = input.take(input.size_byte());
  header.incarnation = input.take(input.size_byte());
  header.batch_id = input.take(input.size_byte());
  if (auto decoded = lattice::backends::to_header(header); decoded.ok()) {
    expect(decoded->record_count == header.record_count && header.previous.size() == 32);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  if ((input[0] & 1) != 0) {
    canonical_bytes(input.substr(1));
  } else {
    rows(input.substr(1));
  }
  return 0;
}
