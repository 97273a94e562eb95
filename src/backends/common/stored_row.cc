#include "backends/common/stored_row.h"

#include <limits>

#include "replica/record_bytes.h"

namespace lattice::backends {
namespace {

Status corrupt(const char* what) {
  return Status(Error::backend_corrupt, std::string("stored batch: ") + what);
}

}  // namespace

Result<keyspace::Record> to_record(const StoredRecord& row) {
  if (row.kind < 0 || row.kind > UINT8_MAX || row.sub < 0 || row.sub > INT32_MAX) {
    return Status(Error::backend_corrupt, "stored record: kind or sub out of range");
  }
  keyspace::Record record;
  record.kind = static_cast<keyspace::RecordKind>(row.kind);
  record.revision = Revision(row.revision);
  record.sub = static_cast<int32_t>(row.sub);
  const size_t key_size = row.key.size();
  const size_t value_size = row.value.size();
  if (key_size + value_size > 0) {
    char* data = nullptr;
    const Bytes both = Bytes::allocate(key_size + value_size, &data);
    row.key.copy(data, key_size);
    row.value.copy(data + key_size, value_size);
    if (key_size > 0) record.key = both.slice(0, key_size);
    if (value_size > 0) record.value = both.slice(key_size, value_size);
  }
  record.create_revision = Revision(row.create_revision);
  record.version = row.version;
  record.lease = LeaseId(row.lease);
  record.number = row.number;
  if (Status status = replica::validate_record(record); !status.ok()) return status;
  return record;
}

Result<replica::BatchHeader> to_header(const StoredHeader& row) {
  if (row.seq < 1) return corrupt("seq below 1");
  if (row.epoch < 0) return corrupt("negative epoch");
  if (row.last_revision < 0) return corrupt("negative revision");
  if (row.record_count < 0 || row.record_count > INT32_MAX) return corrupt("record count");
  replica::BatchHeader header;
  header.seq = Seq(static_cast<uint64_t>(row.seq));
  header.epoch = Epoch(static_cast<uint64_t>(row.epoch));
  header.last_revision = Revision(row.last_revision);
  header.record_count = static_cast<uint32_t>(row.record_count);
  if (!copy_exactly(row.previous, &header.previous) || !copy_exactly(row.digest, &header.digest) ||
      !copy_exactly(row.incarnation, &header.incarnation) ||
      !copy_exactly(row.batch_id, &header.id)) {
    return corrupt("digest, incarnation or batch id of the wrong size");
  }
  return header;
}

}  // namespace lattice::backends
