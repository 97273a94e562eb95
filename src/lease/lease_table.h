// The leases of one tenant: granted TTLs and deadlines. Which keys hang on a lease, the keyspace
// knows. Deadlines live with the leader only (DESIGN section 1, Lease; log-protocol T1).
//
// Thread: one; the owner's. Pure: the time comes in with each call.
// Invariants: a lease never expires before `ttl` has passed since the last answered grant or
//   renewal (reliability.md 39); a lease that is being revoked cannot be renewed (43).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "base/time.h"

namespace lattice::lease {

// etcd: larger TTLs are refused; smaller ones than the minimum are raised (etcd-v3.md 1.8).
inline constexpr int64_t ttl_seconds_max = 9'000'000'000;
inline constexpr int64_t ttl_seconds_min = 2;

struct LeaseInfo {
  LeaseId id;
  int64_t granted_ttl_seconds = 0;
  int64_t remaining_seconds = 0;  // truncated, as etcd answers it
};

class LeaseTable {
 public:
  LeaseTable();
  ~LeaseTable();
  LeaseTable(LeaseTable&&) noexcept;
  LeaseTable& operator=(LeaseTable&&) noexcept;

  // The TTL that a grant gets, or lease_ttl_too_large.
  static Result<int64_t> effective_ttl(int64_t requested_seconds);

  bool exists(LeaseId id) const;  // granted (or staged) and not revoked
  size_t size() const;

  // ---- Changes, staged first: visible to exists(), final only with commit() ----
  // Until then a granted lease cannot be renewed or listed, and a revoked one still is.
  // Errors: lease_exists.
  Status stage_grant(LeaseId id, int64_t ttl_seconds);
  // Errors: lease_not_found.
  Status stage_revoke(LeaseId id);
  // A granted lease's deadline counts from `now`, the time of its commit, never from its staging.
  void commit(Instant now);
  void rollback();

  // ---- Replay: a deadline of its full remaining TTL is given by take_over() ----
  // Require: nothing is staged; apply_grant and apply_revoke also that this replica does not lead.
  // A leader's own checkpoints come back through apply_checkpoint when they have committed.
  void apply_grant(LeaseId id, int64_t ttl_seconds);
  void apply_revoke(LeaseId id);
  // 0, or the full TTL: the record of a reset.
  void apply_checkpoint(LeaseId id, int64_t remaining_seconds);
  // This replica leads from `now` on: every lease gets its full remaining time again (T1).
  void take_over(Instant now);
  // This replica leads no longer: deadlines are forgotten.
  void step_down();

  // ---- Leader ----
  // The renewed TTL in seconds; nullopt: no such lease (etcd answers TTL 0). A lease that is
  // expired but not yet revoked, or being revoked, answers `pending`: its outcome must be waited
  // for.
  struct Renewal {
    bool pending = false;
    int64_t ttl_seconds = 0;
    // A checkpoint shortened it, or one on its way to the log will: log the reset before answering.
    bool needs_checkpoint_reset = false;
  };
  std::optional<Renewal> renew(LeaseId id, Instant now);
  std::optional<LeaseInfo> info(LeaseId id, Instant now) const;
  // Ordered by remaining time.
  std::vector<LeaseInfo> list(Instant now) const;
  // Leases whose deadline has passed and that are not being revoked yet; at most `count_max`.
  std::vector<LeaseId> expired(Instant now, size_t count_max) const;
  // Whether expired() may name it.
  bool is_expired(LeaseId id, Instant now) const;
  // The earliest deadline, or Instant::never().
  Instant next_deadline() const;
  // Leases with more than five minutes left that were not renewed for five minutes: their remaining
  // TTL should be recorded so that a new leader does not start them afresh (etcd-v3.md 1.8). Each
  // is answered once and due again five minutes later.
  struct Checkpoint {
    LeaseId id;
    int64_t remaining_seconds = 0;
  };
  std::vector<Checkpoint> checkpoints_due(Instant now, size_t count_max);
  // When the next checkpoint is due, or Instant::never().
  Instant next_checkpoint() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lattice::lease
