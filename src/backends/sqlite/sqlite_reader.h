// Everything that only reads the file, and the checkpoints, on a connection beside the writer's: a
// replica that loads a million records does not delay another tenant's commits.
// Thread: the reader's.
#pragma once

#include <string>
#include <vector>

#include "backends/sqlite/sqlite_database.h"
#include "backends/sqlite/sqlite_store.h"
#include "replica/log.h"

namespace lattice::backends {

class SqliteReader {
 public:
  Status open(const std::string& path, const SqliteOptions& options);

  struct Chunk {
    std::vector<replica::Log::LoadedBatch> batches;
    bool last = false;
  };
  // Batches behind `after`, some thousand records of them.
  Result<Chunk> load(int64_t log_no, Seq after);
  Result<replica::Log::LookReply> look(int64_t log_no, Seq seq);
  Result<replica::LogHead> head(int64_t log_no);
  // Of the whole file: SQLite does not know what one tenant takes without counting it.
  Result<replica::LogSize> size();
  // Moves what the write-ahead log holds into the database file, without waiting for anybody.
  void checkpoint();
  Database& database() { return database_; }

 private:
  Database database_;
  Statement batches_, records_, look_, oldest_, newest_, size_;
};

}  // namespace lattice::backends
