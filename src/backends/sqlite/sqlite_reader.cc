#include "backends/sqlite/sqlite_reader.h"

#include "backends/sqlite/sqlite_rows.h"

namespace lattice::backends {
namespace {

constexpr size_t chunk_records = 4096;
constexpr size_t chunk_bytes = 4 << 20;

#define LATTICE_HEADER_COLUMNS \
  "seq, previous, digest, epoch, incarnation, batch_id, last_revision, record_count"

size_t bytes_in(const replica::Log::LoadedBatch& batch) {
  size_t bytes = 0;
  for (const auto& record : batch.records) bytes += record.key.size() + record.value.size();
  return bytes;
}

}  // namespace

Status SqliteReader::open(const std::string& path, const SqliteOptions& options) {
  auto database = Database::open(path, options.vfs);
  if (!database.ok()) return database.status();
  database_ = std::move(*database);
  // No mmap: a read error would then be a SIGBUS instead of a Status.
  Status status = database_.execute("PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY");
  if (status.ok()) status = database_.execute(synchronous_sql(options.fsync));
  if (!status.ok()) return status;
  const struct {
    Statement* statement;
    const char* sql;
  } all[] = {
      {&batches_, "SELECT " LATTICE_HEADER_COLUMNS
                  ", first_row FROM batch WHERE log_no = ?1 AND seq > ?2 ORDER BY seq"},
      {&records_, select_records_sql},
      {&look_, "SELECT " LATTICE_HEADER_COLUMNS " FROM batch WHERE log_no = ?1 AND seq = ?2"},
      {&oldest_, "SELECT seq FROM batch WHERE log_no = ?1 ORDER BY seq LIMIT 1"},
      {&newest_,
       "SELECT " LATTICE_HEADER_COLUMNS " FROM batch WHERE log_no = ?1 ORDER BY seq DESC LIMIT 1"},
      {&size_,
       "SELECT page_count * page_size, (page_count - freelist_count) * page_size"
       " FROM pragma_page_count, pragma_page_size, pragma_freelist_count"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = database_.prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = std::move(*prepared);
  }
  return {};
}

Result<SqliteReader::Chunk> SqliteReader::load(int64_t log_no, Seq after) {
  Chunk chunk;
  size_t records = 0;
  size_t bytes = 0;
  batches_.bind(1, log_no);
  batches_.bind(2, static_cast<int64_t>(after.value));
  int code = SQLITE_ROW;
  Status status;
  while (records < chunk_records && bytes < chunk_bytes) {
    code = batches_.step();
    if (code != SQLITE_ROW) break;
    auto header = header_of(batches_);
    if (!header.ok()) {
      status = header.status();
      break;
    }
    replica::Log::LoadedBatch batch;
    batch.header = *header;
    batch.seq = header->seq;
    status = read_records(database_, records_, batches_.integer(8), &batch);
    if (!status.ok()) break;
    records += batch.records.size() + 1;
    bytes += bytes_in(batch);
    chunk.batches.push_back(std::move(batch));
  }
  if (status.ok()) status = database_.status(code, "reading batches");
  chunk.last = code == SQLITE_DONE;
  batches_.reset();
  if (!status.ok()) return status;
  return chunk;
}

Result<replica::Log::LookReply> SqliteReader::look(int64_t log_no, Seq seq) {
  replica::Log::LookReply reply;
  auto newest = head(log_no);
  if (!newest.ok()) return newest.status();
  reply.newest = newest->newest.seq;
  oldest_.bind(1, log_no);
  int code = oldest_.step();
  if (code == SQLITE_ROW) reply.oldest = Seq(static_cast<uint64_t>(oldest_.integer(0)));
  oldest_.reset();
  if (Status status = database_.status(code, "looking for the oldest batch"); !status.ok()) {
    return status;
  }
  look_.bind(1, log_no);
  look_.bind(2, static_cast<int64_t>(seq.value));
  code = look_.step();
  Status status = database_.status(code, "looking for a batch");
  if (code == SQLITE_ROW) {
    auto header = header_of(look_);
    status = header.status();
    if (status.ok()) reply.header = *header;
  }
  look_.reset();
  if (!status.ok()) return status;
  return reply;
}

Result<replica::LogHead> SqliteReader::head(int64_t log_no) {
  replica::LogHead head;
  newest_.bind(1, log_no);
  const int code = newest_.step();
  Status status = database_.status(code, "looking for the newest batch");
  if (code == SQLITE_ROW) {
    auto header = header_of(newest_);
    status = header.status();
    if (status.ok()) head.newest = *header;
  }
  newest_.reset();
  if (!status.ok()) return status;
  head.epoch = head.newest.epoch;
  head.leader = head.newest.incarnation;
  return head;
}

Result<replica::LogSize> SqliteReader::size() {
  const int code = size_.step();
  replica::LogSize size;
  if (code == SQLITE_ROW) {
    size.allocated_bytes = size_.integer(0);
    size.in_use_bytes = size_.integer(1);
  }
  size_.reset();
  if (Status status = database_.status(code, "measuring the file"); !status.ok()) return status;
  return size;
}

void SqliteReader::checkpoint() {
  // Whatever goes wrong is met again by the writer's next commit, which reports it.
  (void)sqlite3_wal_checkpoint_v2(database_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr,
                                  nullptr);
}

}  // namespace lattice::backends
