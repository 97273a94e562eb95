// Everything that changes the file.
// Thread: the writer's.
// Invariants: at most one transaction is open, and none between calls. After a failure that leaves
//   the connection untrusted nothing is written until it was reopened, checkpointed and verified.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "backends/common/schema.h"
#include "backends/sqlite/sqlite_database.h"
#include "backends/sqlite/sqlite_store.h"

namespace lattice::backends {

struct LogInfo {
  int64_t log_no = 0;
  replica::LogId id{};
};

class SqliteWriter {
 public:
  // Opens the file, brings its schema up to date and verifies the newest batch of every log.
  Result<SchemaState> open(const SqliteOptions& options);

  struct Append {
    int64_t log_no = 0;
    std::shared_ptr<const replica::Batch> batch;
    replica::AppendReply reply;  // filled in by append()
  };
  // Commits all of them in one transaction; those that do not fit are rejected, the rest commits.
  // Where the disk has no room for all, each by itself.
  void append(std::span<Append> appends);

  Result<LogInfo> open_log(std::string_view tenant);
  Result<std::vector<std::string>> tenants();
  Status barrier(int64_t log_no);
  // At most a few hundred records at a time: the writer is away meanwhile.
  Status remove(int64_t log_no, std::span<const keyspace::RecordId> records);
  // Up to `count_max` headers; answers whether there may be more.
  Result<bool> trim(int64_t log_no, Seq* from, Seq below, int count_max);
  // Gives some free pages back to the file system; answers whether there may be more.
  Result<bool> shrink(int pages_max);
  // Moves what the write-ahead log holds into the database file.
  void checkpoint();
  // For changes of the list of tenants (sqlite_tenants.h): usable, or why not.
  Result<Database*> database();
  // Pages in the write-ahead log after the last commit.
  int wal_pages() const { return wal_pages_; }

 private:
  struct Statements;

  Status reopen();
  Status configure();
  Status prepare();
  // Runs `work` in a transaction. The outcome is `committed`, or `unknown` with the reason.
  replica::AppendReply transact(absl::FunctionRef<int()> work);
  void commit_together(std::span<Append> appends);
  int insert(Append& append);
  int insert_records(int64_t log_no, const replica::Batch& batch);

  SqliteOptions options_;
  std::string path_;
  Database database_;
  std::shared_ptr<Statements> statements_;
  int64_t next_row_ = 1;
  int wal_pages_ = 0;
  bool broken_ = false;
};

}  // namespace lattice::backends
