// The two threads behind a SqliteStore and what they work on.
// Thread: any; each call posts a job, and each answer is called on the thread that ran it.
// Ownership: the store and its logs share it. Jobs hold plain pointers to it: its destructor, on
//   the thread of the last owner, runs what was posted and joins.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "backends/sqlite/folder_lock.h"
#include "backends/sqlite/sqlite_reader.h"
#include "backends/sqlite/sqlite_writer.h"
#include "backends/sqlite/worker.h"

namespace lattice::backends {

class SqliteEngine {
 public:
  static Result<std::shared_ptr<SqliteEngine>> open(const SqliteOptions& options);
  explicit SqliteEngine(FolderLock lock) : lock_(std::move(lock)) {}

  uint64_t cluster_id() const { return cluster_id_; }
  Result<LogInfo> open_log(std::string_view tenant);  // waits
  Result<std::vector<std::string>> tenants();         // waits

  using Replied = absl::AnyInvocable<void(replica::AppendReply)>;
  void append(int64_t log_no, std::shared_ptr<const replica::Batch> batch, Replied replied);
  void barrier(int64_t log_no, StatusCallback done);
  void remove(int64_t log_no, std::vector<keyspace::RecordId> records, StatusCallback done);
  void trim(int64_t log_no, Seq below, StatusCallback done);
  void defragment(StatusCallback done);
  void read(absl::AnyInvocable<void(SqliteReader&)> job);
  void write(absl::AnyInvocable<void(SqliteWriter&)> job);

 private:
  void run_appends();
  void after_commit();
  void remove_some(int64_t log_no, std::vector<keyspace::RecordId> records, size_t from,
                   StatusCallback done);
  void trim_some(int64_t log_no, Seq from, Seq below, StatusCallback done);
  void defragment_some(StatusCallback done);

  struct PendingAppend {
    SqliteWriter::Append append;
    Replied replied;
  };

  FolderLock lock_;
  uint64_t cluster_id_ = 0;
  SqliteWriter writer_;         // touched by writer_thread_ only, once open
  SqliteReader reader_;         // touched by reader_thread_ only, once open
  int checkpointed_pages_ = 0;  // of the write-ahead log at the last one; the writer's thread
  std::atomic<bool> checkpoint_posted_{false};
  std::mutex mutex_;
  std::vector<PendingAppend> appends_;  // under mutex_
  // Destroyed first, the writer's before the reader's to which it posts, and both before what they
  // touch.
  std::unique_ptr<Worker> reader_thread_;
  std::unique_ptr<Worker> writer_thread_;
};

}  // namespace lattice::backends
