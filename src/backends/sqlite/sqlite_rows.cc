#include "backends/sqlite/sqlite_rows.h"

namespace lattice::backends {

Result<replica::BatchHeader> header_of(Statement& row) {
  StoredHeader stored;
  stored.seq = row.integer(0);
  stored.previous = row.bytes(1);
  stored.digest = row.bytes(2);
  stored.epoch = row.integer(3);
  stored.incarnation = row.bytes(4);
  stored.batch_id = row.bytes(5);
  stored.last_revision = row.integer(6);
  stored.record_count = row.integer(7);
  return to_header(stored);
}

Status read_records(Database& database, Statement& select, int64_t first_row,
                    replica::Log::LoadedBatch* batch) {
  const int64_t count = batch->header->record_count;
  const int64_t seq = static_cast<int64_t>(batch->header->seq.value);
  select.bind(1, first_row);
  select.bind(2, first_row + count);
  int code = SQLITE_ROW;
  Status status;
  while (status.ok() && (code = select.step()) == SQLITE_ROW) {
    const int64_t index = select.integer(1);
    if (select.integer(0) != seq || index < 0 || index >= count) {
      status = Status(Error::backend_corrupt,
                      "batch " + std::to_string(seq) + " names rows of another batch");
      break;
    }
    StoredRecord row;
    row.kind = select.integer(2);
    row.revision = select.integer(3);
    row.sub = select.integer(4);
    row.key = select.bytes(5);
    row.value = select.bytes(6);
    row.create_revision = select.integer(7);
    row.version = select.integer(8);
    row.lease = select.integer(9);
    row.number = select.integer(10);
    auto record = to_record(row);
    status = record.status();
    if (!status.ok()) break;
    batch->indexes.push_back(static_cast<uint32_t>(index));
    batch->records.push_back(std::move(*record));
  }
  if (status.ok()) status = database.status(code, "reading records");
  select.reset();
  return status;
}

}  // namespace lattice::backends
