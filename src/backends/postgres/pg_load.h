// One load of a log: chunks of headers, then their records row by row, so that neither the result
// nor the snapshot that it holds on the server grows with the log. Thread: the loop's.
#pragma once

#include <memory>
#include <vector>

#include "backends/postgres/pg_store.h"

namespace lattice::backends {

// Columns from 0 on: seq, previous, digest, epoch, incarnation, batch_id, last_revision,
// record_count.
Result<replica::BatchHeader> header_of(const PgResult& result, int row);

class PgLoad : public std::enable_shared_from_this<PgLoad> {
 public:
  // `alive` expires with the log: nothing is called afterwards. Fails with backend_unavailable if
  // the rows come from another server than the one that `append` writes to (P6).
  static void start(PgConnections& connections, const PgConnection& append, int32_t log_no,
                    Seq after, std::weak_ptr<bool> alive, replica::Log::OnBatch on_batch,
                    StatusCallback done);

  // For start().
  PgLoad(PgConnections& connections, const PgConnection& append, int32_t log_no)
      : connections_(connections), append_(append), log_no_(log_no) {}

 private:
  void read_headers();
  void take_headers(const PgResult& rows);
  void read_records();
  void take_record(const PgResult& row);
  void hand_over_below(Seq seq);
  void end_of_records();
  bool same_server() const;
  void finish(Status status);

  PgConnections& connections_;
  const PgConnection& append_;
  int32_t log_no_;
  Seq after_;
  std::weak_ptr<bool> alive_;
  replica::Log::OnBatch on_batch_;
  StatusCallback done_;

  std::vector<replica::Log::LoadedBatch> batches_;  // of this chunk of headers
  size_t handed_over_ = 0;                          // of them, to the replica
  size_t wanted_ = 0;  // of them, up to the end of the records that are being read
  bool last_chunk_ = false;
  Status problem_;
};

}  // namespace lattice::backends
