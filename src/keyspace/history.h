// Every version that is visible and still there, in (revision, sub) order: what watches read, what
// HashKV walks and what compaction sweeps.
//
// It has two parts. *Settled* holds what a sweep has kept, all at or below the compact revision.
// *Recent* holds everything newer, and what the running sweep has not reached. A sweep moves
// through settled, then through the front of recent, a few versions at a time.
//
// Thread: the keyspace's. Ownership: holds a count of each version.
#pragma once

#include <deque>
#include <vector>

#include "absl/functional/function_ref.h"
#include "keyspace/kv_record.h"

namespace lattice::keyspace {

class History {
 public:
  using Visitor = absl::FunctionRef<bool(const KvRef&)>;

  // Whether (revision, sub) lies behind everything that is there.
  bool can_append(Revision revision, int32_t sub) const;
  // Requires: can_append().
  void append(KvRef version) { recent_.push_back(std::move(version)); }

  // Visits versions with revision >= from until the visitor answers false. Requires: from is at or
  // above the compact revision. Versions that a sweep will drop are left out.
  void visit_from(Revision from, Revision compact, Visitor visit) const;
  // Visits everything there is, in order.
  void visit_all(Visitor visit) const;
  // How many versions are newer than `revision`, which is at or above the compact revision.
  size_t count_after(Revision revision) const;

  // Starts a sweep up to `target`, and forgets one that has not ended.
  void start_sweep(Revision target);
  bool sweeping() const { return sweeping_; }
  // Looks at up to `versions_max` versions at or below the target, in order, and keeps those for
  // which `keep` answers true. True when the sweep has ended.
  bool sweep(size_t versions_max, Visitor keep);

  size_t memory_bytes() const { return (settled_.capacity() + recent_.size()) * sizeof(KvRef); }

 private:
  using Recent = std::deque<KvRef>;
  Recent::const_iterator recent_from(Revision from) const;

  std::vector<KvRef> settled_;
  Recent recent_;
  bool sweeping_ = false;
  Revision target_;
  // While a sweep is within settled_: [0, kept_) is done, [kept_, next_) is empty. Otherwise
  // both are 0.
  bool in_settled_ = false;
  size_t kept_ = 0;
  size_t next_ = 0;
};

}  // namespace lattice::keyspace
