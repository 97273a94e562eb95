// Leases at their leader: grants, revokes and expiries as proposals, deadlines and renewals in
// memory.
// Thread: the replica's loop.
// Changes: State's lease table (renewals; the rest goes through batches).
// Invariants: a renewal is answered only under the read fence, because another leader counts a
//   lease's time from its own takeover (log-protocol T1); a lease is expired by at most one
//   proposal at a time.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "replica/lifetime.h"
#include "replica/read_queue.h"
#include "replica/state.h"
#include "replica/write_queue.h"

namespace lattice::replica {

class LeaseKeeper {
 public:
  LeaseKeeper(State& state, WriteQueue& writes, ReadQueue& reads)
      : state_(state), writes_(writes), reads_(reads) {}

  void grant(LeaseId id, int64_t ttl_seconds, Sender sender, Callback<LeaseGrantResult> done);
  void revoke(LeaseId id, Sender sender, Callback<Revision> done);
  void keep_alive(LeaseId id, auth::CallerRef caller, Callback<LeaseKeepAliveResult> done);
  void time_to_live(LeaseId id, bool keys, auth::CallerRef caller,
                    Callback<LeaseTimeToLiveResult> done);
  void leases(auth::CallerRef caller, Callback<LeaseLeasesResult> done);

  void on_leading();
  void on_stepped_down(const Status& status);
  // The fence was down for a while: nobody's renewals could be answered, so every lease gets its
  // remaining time again.
  void on_regained() { state_.leases.take_over(state_.environment.now()); }
  // A revoke may have ended: renewals wait for that.
  void on_settled();

 private:
  struct PendingRenewal {
    Instant since;
    Callback<LeaseKeepAliveResult> done;
  };
  void renew(LeaseId id, Instant since, Callback<LeaseKeepAliveResult> done);
  void retry_pending();
  void arm();
  void tick();
  void expire(LeaseId id);
  void checkpoint();
  void count(size_t granted, size_t revoked, size_t expired);

  State& state_;
  WriteQueue& writes_;
  ReadQueue& reads_;
  Lifetime lifetime_;
  bool leading_ = false;
  bool checkpointing_ = false;
  absl::flat_hash_set<LeaseId> expiring_;
  std::map<LeaseId, std::vector<PendingRenewal>> pending_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace lattice::replica
