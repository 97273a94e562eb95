// A tenant's log on its way from one database to another, to the byte: the same batches, and of
// their records those that the old log still has. Nothing is held back: it needs about the memory
// of a replica when the new database is the slower one.
//
// Thread: the caller's, which it blocks.
// Ownership: what is in Parts outlives it.
// Invariants: the copy is a beginning of the old log, in order. Whatever was in the old log when it
//   was copied is there; after drop_deleted() nothing else is.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "backends/common/moves.h"
#include "replica/log.h"
#include "server/opened_database.h"

namespace lattice::server {

class LogCopy {
 public:
  struct End {
    replica::Log& log;
    backends::TenantMoves& moves;
    int64_t log_no = 0;
  };
  LogCopy(BlockingLoop& blocking, const End& from, const End& to)
      : blocking_(blocking), from_(from), to_(to) {}

  // What is there already, up to this batch, needs no copying.
  void resume(const replica::BatchHeader& newest) { copied_ = newest; }
  // Everything that the old log has now, up to its seal, which is not copied.
  Status copy_tail();
  // Deletes from the copy what a compaction has deleted from the old log since it was copied.
  // Errors: backend_corrupt, when the copy lacks something.
  // `announce` is called before anything is: who has read the copy must read it again.
  Status drop_deleted(absl::FunctionRef<Status()> announce);

  // The newest batch of the copy; seq 0: none.
  const replica::BatchHeader& copied() const { return copied_; }
  // That of the old log, once it was met.
  const std::optional<replica::BatchHeader>& seal() const { return seal_; }
  size_t records() const { return records_; }

 private:
  void take(replica::Log::LoadedBatch batch);
  void pump();
  Status drop_deleted_of(uint64_t part);
  Result<backends::Census> census(const End& end);
  Result<std::vector<keyspace::RecordId>> ids(const End& end, uint64_t part);

  BlockingLoop& blocking_;
  const End from_;
  const End to_;
  replica::BatchHeader copied_;
  std::optional<replica::BatchHeader> seal_;
  size_t records_ = 0;
  // ---- While copy_tail() runs ----
  std::deque<replica::Log::LoadedBatch> waiting_;
  size_t waiting_weight_ = 0;  // of their records, in bytes
  bool adding_ = false;
  bool loaded_ = false;
  Status status_;
  StatusCallback done_;
};

}  // namespace lattice::server
