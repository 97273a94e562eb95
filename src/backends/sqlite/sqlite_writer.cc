#include "backends/sqlite/sqlite_writer.h"

#include <chrono>

#include "backends/common/random.h"
#include "backends/common/stored_row.h"
#include "backends/sqlite/sqlite_schema.h"
#include "backends/sqlite/sqlite_verify.h"

namespace lattice::backends {
namespace {

using replica::AppendOutcome;
using replica::AppendReply;

int64_t unix_milliseconds() {
  // For people who read the history; nothing is decided by it.
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace

struct SqliteWriter::Statements {
  Statement begin, commit, rollback;
  Statement newest, insert_batch, insert_record;
  Statement barrier, delete_record, trimmable, delete_header;
};

Result<SchemaState> SqliteWriter::open(const SqliteOptions& options) {
  options_ = options;
  path_ = options.folder + "/" + options.file_name;
  auto database = Database::open(path_, options_.vfs);
  if (!database.ok()) return database.status();
  database_ = std::move(*database);
  // Both count at the creation of the file only. Measured with batches of 256 rows of 256 bytes,
  // before any fsync: 600,000 rows/s with pages of 4 KiB, 820,000 with 8 KiB, 835,000 with 16 KiB,
  // while a single small put (three pages per commit) favours small pages: 8 KiB is the bend.
  // auto_vacuum lets defragment() work in small steps; its cost is below the noise.
  Status status = database_.execute("PRAGMA page_size = 8192; PRAGMA auto_vacuum = incremental");
  if (!status.ok()) return status;
  uint64_t fresh_cluster_id = 0;
  while (fresh_cluster_id == 0) fill_random(&fresh_cluster_id, sizeof(fresh_cluster_id));
  auto state = prepare_schema(database_, path_, fresh_cluster_id);
  if (!state.ok()) return state;
  status = configure();
  if (status.ok()) status = prepare();
  if (status.ok()) status = verify_newest_batches(database_, path_, &next_row_);
  if (!status.ok()) return status;
  return state;
}

Status SqliteWriter::configure() {
  auto mode = database_.query_text("PRAGMA journal_mode = WAL");
  if (!mode.ok()) return mode.status();
  if (*mode != "wal") {
    return Status(Error::io, path_ +
                                 ": the file system does not support SQLite's write-ahead "
                                 "log (no shared memory); use a local one");
  }
  // Debian's SQLite overwrites deleted content with zeros unless told not to. Checkpoints are the
  // engine's business, so that none delays a commit; the write-ahead log shrinks back to 64 MiB.
  Status status = database_.execute(
      "PRAGMA secure_delete = OFF; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;"
      "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864");
  if (status.ok()) status = database_.execute(synchronous_sql(options_.fsync));
  sqlite3_wal_hook(
      database_.handle(),
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<SqliteWriter*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      this);
  return status;
}

Status SqliteWriter::prepare() {
  statements_ = std::make_shared<Statements>();
  const struct {
    Statement* statement;
    const char* sql;
  } all[] = {
      {&statements_->begin, "BEGIN IMMEDIATE"},
      {&statements_->commit, "COMMIT"},
      {&statements_->rollback, "ROLLBACK"},
      {&statements_->newest,
       "SELECT seq, digest FROM batch WHERE log_no = ?1 ORDER BY seq DESC LIMIT 1"},
      {&statements_->insert_batch,
       "INSERT INTO batch VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"},
      {&statements_->insert_record,
       "INSERT INTO record VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"},
      {&statements_->barrier, "UPDATE logs SET barriers = barriers + 1 WHERE log_no = ?1"},
      {&statements_->delete_record,
       "DELETE FROM record WHERE row = ?3 + (SELECT first_row FROM batch"
       " WHERE log_no = ?1 AND seq = ?2 AND ?3 < record_count)"},
      {&statements_->trimmable,
       "SELECT b.seq, EXISTS (SELECT 1 FROM record r WHERE r.row >= b.first_row"
       " AND r.row < b.first_row + b.record_count) FROM batch b"
       " WHERE b.log_no = ?1 AND b.seq >= ?2 AND b.seq < ?3 AND b.seq <"
       " (SELECT max(seq) FROM batch WHERE log_no = ?1) ORDER BY b.seq LIMIT ?4"},
      {&statements_->delete_header, "DELETE FROM batch WHERE log_no = ?1 AND seq = ?2"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = database_.prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = std::move(*prepared);
  }
  return {};
}

Status SqliteWriter::reopen() {
  statements_.reset();
  database_ = Database();
  auto database = Database::open(path_, options_.vfs);
  if (!database.ok()) return database.status();
  database_ = std::move(*database);
  Status status = configure();
  // What the failed sync may have left in the page cache only is written a second time, to the
  // database file, and synced there; pages of an append that was not acknowledged go with the log.
  if (status.ok()) {
    auto busy = database_.query_text("PRAGMA wal_checkpoint(TRUNCATE)");
    status = busy.status();
    if (status.ok() && *busy != "0") {
      status = Status(Error::backend_locked,
                      path_ +
                          ": a reader keeps the write-ahead log from being emptied after an "
                          "I/O error; end the sqlite3 shell that has it open");
    }
  }
  if (status.ok()) status = prepare();
  if (status.ok()) status = verify_newest_batches(database_, path_, &next_row_);
  broken_ = !status.ok();
  return status;
}

AppendReply SqliteWriter::transact(absl::FunctionRef<int()> work) {
  AppendReply reply;
  reply.definite_error = true;
  if (broken_) {
    if (reply.detail = reopen(); !reply.detail.ok()) return reply;
  }
  const char* doing = "starting a transaction";
  int code = statements_->begin.run();
  bool commit_tried = false;
  if (code == SQLITE_OK) {
    doing = "writing";
    code = work();
    if (code == SQLITE_OK) {
      doing = "committing";
      commit_tried = true;
      code = statements_->commit.run();
    }
  }
  if (code == SQLITE_OK) {
    reply.outcome = AppendOutcome::committed;
    reply.definite_error = false;
    return reply;
  }
  reply.detail = database_.status(code, doing);
  broken_ = sqlite_is_broken(code);
  // Full or busy at the commit has written no commit mark; after an I/O error nobody knows.
  reply.definite_error = !(commit_tried && broken_);
  if (sqlite3_get_autocommit(database_.handle()) == 0) (void)statements_->rollback.run();
  return reply;
}

void SqliteWriter::append(std::span<Append> appends) {
  commit_together(appends);
  if (appends.size() == 1 || appends[0].reply.detail.error() != Error::backend_full) return;
  // The others need not wait for room because one tenant's batch is large.
  for (size_t i = 0; i < appends.size(); ++i) {
    appends[i].reply = {};
    commit_together(appends.subspan(i, 1));
  }
}

void SqliteWriter::commit_together(std::span<Append> appends) {
  const int64_t first_row = next_row_;
  const AppendReply outcome = transact([&] {
    for (Append& append : appends) {
      if (const int code = insert(append); code != SQLITE_OK) return code;
    }
    return SQLITE_OK;
  });
  if (outcome.outcome == AppendOutcome::committed) return;
  // Reopening finds out by itself; otherwise these rows are free again.
  if (!broken_) next_row_ = first_row;
  for (Append& append : appends) append.reply = outcome;
}

int SqliteWriter::insert(Append& append) {
  const replica::BatchHeader& header = append.batch->header;
  Statement& newest = statements_->newest;
  newest.bind(1, append.log_no);
  const int code = newest.step();
  bool fits = false;
  if (code == SQLITE_ROW) {
    fits = newest.integer(0) + 1 == static_cast<int64_t>(header.seq.value) &&
           newest.bytes(1) == bytes_of(header.previous);
  } else if (code == SQLITE_DONE) {
    fits = header.seq == Seq(1) && header.previous == Digest{};
  }
  newest.reset();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return code;
  append.reply.outcome = fits ? AppendOutcome::committed : AppendOutcome::rejected;
  if (!fits) return SQLITE_OK;

  Statement& batch = statements_->insert_batch;
  batch.bind(1, append.log_no);
  batch.bind(2, static_cast<int64_t>(header.seq.value));
  batch.bind(3, bytes_of(header.previous));
  batch.bind(4, bytes_of(header.digest));
  batch.bind(5, static_cast<int64_t>(header.epoch.value));
  batch.bind(6, bytes_of(header.incarnation));
  batch.bind(7, bytes_of(header.id));
  batch.bind(8, header.last_revision.value);
  batch.bind(9, static_cast<int64_t>(append.batch->records.size()));
  batch.bind(10, next_row_);
  batch.bind(11, unix_milliseconds());
  if (const int inserted = batch.run(); inserted != SQLITE_OK) return inserted;
  return insert_records(append.log_no, *append.batch);
}

int SqliteWriter::insert_records(int64_t log_no, const replica::Batch& batch) {
  Statement& insert = statements_->insert_record;
  insert.bind(2, log_no);
  insert.bind(3, static_cast<int64_t>(batch.header.seq.value));
  int64_t index = 0;
  for (const keyspace::Record& record : batch.records) {
    insert.bind(1, next_row_);
    insert.bind(4, index++);
    insert.bind(5, static_cast<int64_t>(record.kind));
    insert.bind(6, record.revision.value);
    insert.bind(7, record.sub);
    insert.bind(8, record.key.view());
    insert.bind(9, record.value.view());
    insert.bind(10, record.create_revision.value);
    insert.bind(11, record.version);
    insert.bind(12, record.lease.value);
    insert.bind(13, record.number);
    if (const int code = insert.run(); code != SQLITE_OK) return code;
    ++next_row_;
  }
  return SQLITE_OK;
}

Result<LogInfo> SqliteWriter::open_log(std::string_view tenant) {
  LogInfo info;
  Status problem;
  const AppendReply outcome = transact([&]() -> int {
    auto find = database_.prepare("SELECT log_no, log_id FROM logs WHERE tenant = ?1");
    auto create = database_.prepare(
        "INSERT INTO logs (tenant, log_id, created_at)"
        " VALUES (?1, ?2, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))");
    if (!find.ok() || !create.ok()) return SQLITE_ERROR;
    find->bind_text(1, tenant);
    const int code = find->step();
    if (code == SQLITE_ROW) {
      info.log_no = find->integer(0);
      if (!copy_exactly(find->bytes(1), &info.id)) {
        problem = Status(Error::backend_corrupt, path_ + ": a log id of the wrong size");
      }
      return SQLITE_OK;
    }
    if (code != SQLITE_DONE) return code;
    fill_random(info.id.data(), info.id.size());
    create->bind_text(1, tenant);
    create->bind(2, bytes_of(info.id));
    const int created = create->run();
    info.log_no = sqlite3_last_insert_rowid(database_.handle());
    return created;
  });
  if (outcome.outcome != AppendOutcome::committed) return outcome.detail;
  if (!problem.ok()) return problem;
  return info;
}

Result<std::vector<std::string>> SqliteWriter::tenants() {
  auto select = database_.prepare("SELECT tenant FROM logs WHERE state = 'active' ORDER BY tenant");
  if (!select.ok()) return select.status();
  std::vector<std::string> names;
  int code = SQLITE_ROW;
  while ((code = select->step()) == SQLITE_ROW) names.emplace_back(select->bytes(0));
  if (code != SQLITE_DONE) return database_.status(code, "reading the list of logs");
  return names;
}

Status SqliteWriter::barrier(int64_t log_no) {
  return transact([&] {
           statements_->barrier.bind(1, log_no);
           return statements_->barrier.run();
         })
      .detail;
}

Status SqliteWriter::remove(int64_t log_no, std::span<const keyspace::RecordId> records) {
  return transact([&]() -> int {
           Statement& remove = statements_->delete_record;
           remove.bind(1, log_no);
           for (const keyspace::RecordId& id : records) {
             remove.bind(2, static_cast<int64_t>(id.seq.value));
             remove.bind(3, static_cast<int64_t>(id.index));
             if (const int code = remove.run(); code != SQLITE_OK) return code;
           }
           return SQLITE_OK;
         })
      .detail;
}

Result<bool> SqliteWriter::trim(int64_t log_no, Seq* from, Seq below, int count_max) {
  int seen = 0;
  const AppendReply outcome = transact([&]() -> int {
    Statement& candidates = statements_->trimmable;
    candidates.bind(1, log_no);
    candidates.bind(2, static_cast<int64_t>(from->value));
    candidates.bind(3, static_cast<int64_t>(below.value));
    candidates.bind(4, static_cast<int64_t>(count_max));
    std::vector<int64_t> doomed;
    int code = SQLITE_ROW;
    for (; (code = candidates.step()) == SQLITE_ROW; ++seen) {
      const int64_t seq = candidates.integer(0);
      if (candidates.integer(1) == 0) doomed.push_back(seq);
      *from = Seq(static_cast<uint64_t>(seq) + 1);
    }
    candidates.reset();
    if (code != SQLITE_DONE) return code;
    for (const int64_t seq : doomed) {
      statements_->delete_header.bind(1, log_no);
      statements_->delete_header.bind(2, seq);
      if (const int deleted = statements_->delete_header.run(); deleted != SQLITE_OK) {
        return deleted;
      }
    }
    return SQLITE_OK;
  });
  if (outcome.outcome != AppendOutcome::committed) return outcome.detail;
  return seen == count_max;
}

Result<bool> SqliteWriter::shrink(int pages_max) {
  if (broken_) {
    if (Status status = reopen(); !status.ok()) return status;
  }
  auto before = database_.query_text("PRAGMA freelist_count");
  if (!before.ok()) return before.status();
  if (*before == "0") return false;
  const std::string sql = "PRAGMA incremental_vacuum(" + std::to_string(pages_max) + ")";
  if (Status status = database_.execute(sql.c_str()); !status.ok()) return status;
  auto after = database_.query_text("PRAGMA freelist_count");
  if (!after.ok()) return after.status();
  return *after != "0" && *after != *before;
}

Result<Database*> SqliteWriter::database() {
  if (broken_) {
    if (Status status = reopen(); !status.ok()) return status;
  }
  return &database_;
}

void SqliteWriter::checkpoint() {
  if (broken_) return;
  const int code = sqlite3_wal_checkpoint_v2(database_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             nullptr, nullptr);
  broken_ = sqlite_is_broken(code);
}

}  // namespace lattice::backends
