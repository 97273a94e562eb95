// The state machine of one tenant's keys: a multi-version index that answers reads at any revision
// from the compact revision up, and that evaluates writes.
//
// Writes go through three steps. *Stage*: evaluate a request on the newest state, staged changes
// included; new versions enter the index above the visible revision, and the records that the log
// must keep are appended to the caller's list. *Commit*: once the log has them, what was staged
// becomes visible, oldest first. *Rollback*: the log refused; everything staged disappears as if it
// never was. Reads see the visible revision only, so a reader never meets a write that is not
// durable.
//
// Thread: one; the owner's. Pure: no I/O, no clock, no randomness.
// Ownership: versions are shared blocks (KvRef); results stay valid after any later change.
// Invariants:
//   compact_revision <= visible_revision <= staged_revision; both grow by one per changing request.
//   A version above visible_revision is reachable only through stage_*; history ends at visible.
//   Every lease's key set equals the keys whose newest staged version carries that lease.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/status.h"
#include "keyspace/record.h"
#include "keyspace/requests.h"

namespace lattice::keyspace {

// The checks that need no state, in etcd's order (etcd-v3.md 1.2 to 1.5, 4.11): empty keys, sort
// options, value/lease provided, too many ops, duplicate keys. Nothing reaches the log before them.
Status validate(const RangeRequest& request);
Status validate(const PutRequest& request);
Status validate(const DeleteRangeRequest& request);
Status validate(const TxnRequest& request, int max_txn_ops);
// A transaction that can be answered as a read: ranges only, no nested transaction.
bool is_read_only(const TxnRequest& request);

class KeyHistory;

class Keyspace {
 public:
  Keyspace();
  ~Keyspace();
  Keyspace(Keyspace&&) noexcept;
  Keyspace& operator=(Keyspace&&) noexcept;

  Revision visible_revision() const;
  Revision staged_revision() const;
  // -1 before the first compaction.
  Revision compact_revision() const;

  // ---- Reads, at the visible state ----
  // Changes nothing but the time that requests for these keys take: the cache misses of many keys
  // overlap. places[i] can be given to range() for keys[i], until the keyspace changes.
  void locate(std::span<const std::string_view> keys, std::span<const KeyHistory*> places) const;
  Result<RangeResult> range(const RangeRequest& request, const KeyHistory* place = nullptr) const;
  // Requires: is_read_only(request) and validate() passed.
  Result<TxnResult> read_txn(const TxnRequest& request) const;

  // ---- Staging ----
  // Where staged records go: appended to *records; the next record of the batch gets the id
  // (seq, records->size()). lease_exists is asked about leases named by puts.
  struct Stage {
    Seq seq;
    std::vector<Record>* records = nullptr;
    absl::FunctionRef<bool(LeaseId)> lease_exists;
  };
  // Require: validate() passed. A request that changes nothing adds no record and no revision.
  Result<PutResult> stage_put(const PutRequest& request, const Stage& stage);
  Result<DeleteRangeResult> stage_delete_range(const DeleteRangeRequest& request,
                                               const Stage& stage);
  Result<TxnResult> stage_txn(const TxnRequest& request, const Stage& stage);
  // Deletes every key attached to the lease in one revision, in key order (etcd's revoke).
  void stage_delete_leased(LeaseId lease, const Stage& stage);

  // What was staged up to `revision`, the staged revision of some earlier moment, becomes visible.
  void commit(Revision revision);
  // Everything staged is undone.
  void rollback();

  // ---- Replay ----
  // Takes a put or tombstone from the log (start-up or another writer's batch); it becomes visible
  // at once. Requires: nothing is staged; revisions arrive in order.
  // Errors: backend_corrupt when the record cannot follow the state.
  Status apply(const Record& record, RecordId id);
  // Moves the revision of a store whose newest records were deleted by compaction, never backward.
  void advance_to(Revision revision);

  // ---- Leases ----
  // The keys attached to a lease, staged changes included, in key order.
  std::vector<std::string> leased_keys(LeaseId lease) const;

  // ---- Compaction (etcd-v3.md 1.6; log-protocol H1) ----
  // Errors: compacted, future_revision, as etcd.
  Status check_compact(Revision revision) const;
  // From now on reads below `revision` fail. Memory is given back by compact_step. `log_whole`:
  // every version since the previous compaction is here; a log that is loaded may have lost some
  // already, and then HashKV keeps no hash from before the compaction.
  // Requires: check_compact(revision) is ok.
  void set_compact_revision(Revision revision, bool log_whole = true);
  struct CompactStep {
    bool done = false;
    uint32_t hash = 0;  // when done: the hash of the survivors at the compact revision
  };
  // Looks at up to `versions_max` versions in revision order, drops the superseded ones and appends
  // their places in the log to `dropped`. A log that deletes them in this order can be loaded after
  // every single deletion: no put is ever left without the tombstone that ended it. Call until
  // done; writes may be staged and committed in between. Requires: nothing staged at the time of
  // the call.
  CompactStep compact_step(size_t versions_max, std::vector<RecordId>* dropped);

  // ---- Hash ----
  // etcd's HashKV: CRC-32C over the records at or below `revision` (0: the current one).
  Result<HashResult> hash_kv(Revision revision) const;

  // ---- History, for watches ----
  // Visits visible versions with revision >= from in (revision, sub) order until the visitor
  // answers false. Requires: from >= compact_revision (older ones are gone).
  void visit_history(Revision from, absl::FunctionRef<bool(const KvRef&)> visit) const;
  // prev_kv of the event that `record` is: its key at the revision before (etcd-v3.md 4.3). Null
  // for a creation, when the key was not there, or when that revision is compacted away.
  KvRef previous(const KvRecord& record) const;

  // Whether the key is alive, staged changes included.
  bool holds(std::string_view key) const;

  // ---- Accounting ----
  // What was counted since the last call. Requests that are evaluated twice are counted twice.
  OperationCounts take_operation_counts();
  size_t key_count() const;          // keys alive at the visible revision
  int64_t staged_key_count() const;  // staged changes included
  size_t memory_bytes() const;       // all versions and their index, approximately
  // All versions as records of the log, staged ones included: the same at every replica that has
  // compacted as far.
  size_t stored_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lattice::keyspace
