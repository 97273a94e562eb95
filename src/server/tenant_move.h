// `lattice tenant move`: takes a tenant's log to another database while it is in use
// (log-protocol H4, docs/decisions/0020). The steps, each of which may be the last of a command
// that dies; the next one goes on from there:
//
//   mark      the tenant is `moving` in the old database, `arriving` in the new one
//   copy      every batch as it is; then again what was added meanwhile, until that is little
//   check     the copy is read back and verified, as a replica does that loads it
//   seal      the tenant is `sealing`: its leader, or this command where nobody leads, ends the log
//   finish    the rest is copied, compared and verified; the copy begins with a takeover that names
//             nobody
//   open      the tenant is `active` in the new database: from here on it is there
//   bury      it is `moved` in the old one, a tombstone, and its rows are deleted
//
// Thread: the caller's, which it blocks.
// Ownership: the databases outlive it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "replica/append_resolver.h"
#include "replica/log_reader.h"
#include "server/log_copy.h"
#include "server/opened_database.h"

namespace lattice::server {

class TenantMove {
 public:
  struct Outcome {
    int64_t revision = 0;
    size_t records = 0;  // copied by this command
    // From the demand for the seal until the tenant was open again; nullopt: a command before this
    // one had demanded it.
    std::optional<Duration> interrupted;
    int64_t routing_epoch = 0;
  };
  struct Parts {
    BlockingLoop& blocking;
    OpenedDatabase& from;
    OpenedDatabase& to;
    std::function<void(const std::string&)> tell;  // what is going on, for people
    // Of the tenant's manifest, now; 0: nobody governs.
    std::function<Result<int64_t>()> governed_epoch;
  };
  // `row`: of the tenant in `from`: active, moving or sealing.
  TenantMove(Parts parts, backends::TenantRow row);
  ~TenantMove();

  // Up to `open`; bury() follows.
  Result<Outcome> run();
  // Gives the move up. Errors: invalid_argument, when the log is sealed already.
  Status abort();
  // The tenant is active in the new database: makes the row in the old one a tombstone.
  Status bury();

 private:
  // One database's log of the tenant. The State of the old one stays empty: it is not read.
  struct Side {
    Side(std::unique_ptr<replica::Log> its_log, replica::Environment& environment);
    std::unique_ptr<replica::Log> log;
    replica::Options options;
    replica::Observer silent;
    replica::State state;
    replica::AppendResolver resolver;
    replica::LogReader reader;
  };
  using Verdict = replica::AppendResolver::Verdict;

  Status mark();
  Status open_logs();
  Status find_resume_point();
  Status copy_while_in_use();
  Status drop_deleted();
  Status verify();
  Status read_copy();
  Status verify_compaction();
  Status outrun_manifest();
  Status seal();
  Status await_seal();
  Status seal_if_nobody_leads();
  Status seal_behind(const replica::BatchHeader& newest);
  Status finish();
  Verdict append(Side& side, std::shared_ptr<const replica::Batch> batch);
  Status change(OpenedDatabase& database, const backends::TenantRow& row,
                std::vector<backends::TenantState> from, backends::TenantState to);
  Result<std::optional<backends::TenantRow>> arriving_row();
  replica::Seal the_seal() const { return {parts_.to.backend(), row_.routing_epoch}; }

  const Parts parts_;
  backends::TenantRow row_;      // in the old database
  backends::TenantRow new_row_;  // in the new one
  std::unique_ptr<Side> old_;
  std::unique_ptr<Side> new_;
  std::unique_ptr<LogCopy> copy_;
  bool arrived_ = false;   // the copy has its takeover
  Instant asked_;          // for the seal
  bool demanded_ = false;  // the seal, by this command
  Seq verified_compaction_;
  Outcome outcome_;
  // The leader's session, and since when it looks as it does (log-protocol L3).
  replica::SessionRow seen_;
  Instant seen_since_;
};

}  // namespace lattice::server
