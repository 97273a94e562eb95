// The embedded log: one SQLite file for all tenants of this process, in a folder that a lock file
// keeps to one process. docs/log-format.md describes the file.
//
// Two threads of its own: the writer commits whole batches, of several tenants at once where they
// meet; the reader loads, looks and checkpoints. A person may read the file with a sqlite3 shell
// meanwhile.
//
// Thread: open() and open_log() block for some milliseconds (start-up, not a loop in service). A
//   Log belongs to the loop that its Post reaches; different logs may live on different loops.
// Ownership: logs share the threads and may outlive the store; the last one to go stops them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "backends/common/tenants.h"
#include "base/status.h"
#include "base/time.h"
#include "replica/log.h"

namespace lattice::backends {

class SqliteEngine;

// Runs a task on the loop that owns a Log, in the order of posting. Called from other threads.
using Post = std::function<void(absl::AnyInvocable<void()>)>;

// When a commit is on the disk (product.md section 2).
enum class FsyncPolicy : uint8_t {
  always,    // before it is acknowledged
  interval,  // within fsync_interval; a power cut can lose that much, in order, never a part of a
             // batch
  never,     // when the operating system pleases; a power cut may leave a file that needs a backup
};

struct SqliteOptions {
  std::string folder;  // [paths] wal_dir; created when missing
  std::string file_name = "lattice.db";
  FsyncPolicy fsync = FsyncPolicy::always;
  Duration fsync_interval = std::chrono::seconds(1);
  std::string vfs;  // SQLite VFS by name, for tests that inject faults; empty: the system's
};

class SqliteStore {
 public:
  // Errors: backend_locked (another process has the folder), backend_schema_newer,
  // backend_foreign_data, backend_corrupt, io (say, a folder that is not writable); the detail
  // names the way out.
  static Result<std::unique_ptr<SqliteStore>> open(const SqliteOptions& options);
  ~SqliteStore();

  // Random at creation of the file, never 0.
  uint64_t cluster_id() const;
  // Opens the tenant's log, creating it the first time.
  Result<std::unique_ptr<replica::Log>> open_log(std::string_view tenant, Post post);
  // A tenant that the directory has listed: does not wait.
  std::unique_ptr<replica::Log> open_log(const TenantRow& tenant, Post post);
  Result<std::vector<std::string>> tenants();
  std::unique_ptr<TenantDirectory> directory(Post post);

 private:
  explicit SqliteStore(std::shared_ptr<SqliteEngine> engine);
  std::shared_ptr<SqliteEngine> engine_;
};

}  // namespace lattice::backends
