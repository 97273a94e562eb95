#include "backends/sqlite/sqlite_verify.h"

#include <algorithm>

#include "backends/sqlite/sqlite_rows.h"

namespace lattice::backends {
namespace {

Status verify_batch(Database& database, const std::string& path, int64_t log_no,
                    const replica::LogId& log, int64_t* next_row) {
  auto newest = database.prepare(
      "SELECT seq, previous, digest, epoch, incarnation, batch_id, last_revision, record_count,"
      " first_row FROM batch WHERE log_no = ?1 ORDER BY seq DESC LIMIT 1");
  if (!newest.ok()) return newest.status();
  newest->bind(1, log_no);
  const int code = newest->step();
  if (code == SQLITE_DONE) return {};
  if (code != SQLITE_ROW) return database.status(code, "reading the newest batch");
  auto header = header_of(*newest);
  if (!header.ok()) return header.status();
  const int64_t first_row = newest->integer(8);
  *next_row = std::max(*next_row, first_row + header->record_count);

  auto records = database.prepare(select_records_sql);
  if (!records.ok()) return records.status();
  replica::Log::LoadedBatch loaded;
  loaded.header = *header;
  if (Status status = read_records(database, *records, first_row, &loaded); !status.ok()) {
    return status;
  }
  // Compaction may have taken some of them; then the chain alone has to do.
  if (loaded.records.size() == header->record_count &&
      compute_digest(log, *header, loaded.records) != header->digest) {
    return Status(Error::backend_corrupt,
                  path + ": batch " + std::to_string(header->seq.value) +
                      " does not have the digest that was stored with it; restore a backup");
  }
  return {};
}

}  // namespace

Status verify_newest_batches(Database& database, const std::string& path, int64_t* next_row) {
  *next_row = 1;
  auto logs = database.prepare("SELECT log_no, log_id FROM logs");
  if (!logs.ok()) return logs.status();
  int code = SQLITE_ROW;
  while ((code = logs->step()) == SQLITE_ROW) {
    replica::LogId id;
    if (!copy_exactly(logs->bytes(1), &id)) {
      return Status(Error::backend_corrupt, path + ": a log id of the wrong size");
    }
    if (Status status = verify_batch(database, path, logs->integer(0), id, next_row);
        !status.ok()) {
      return status;
    }
  }
  return database.status(code, "reading the list of logs");
}

}  // namespace lattice::backends
