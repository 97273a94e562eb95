// Turns proposals into the records of a batch, by staging them on the keyspace and the lease table.
// Thread: the replica's loop. Changes: State's keyspace, leases and users, staged only.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "keyspace/record.h"
#include "replica/capacity.h"
#include "replica/proposal.h"
#include "replica/state.h"

namespace lattice::replica {

class Evaluator {
 public:
  explicit Evaluator(State& state) : state_(state) {}

  // Starts the evaluation of batch `seq`. Requires: nothing is staged.
  void begin(Seq seq);
  // Proposals that will be evaluated next: their keys' memory is asked for ahead of time.
  void prefetch(std::span<const Proposal> proposals);
  // Evaluates on the newest state, earlier proposals of the batch included; fills in the answer.
  void evaluate(Proposal& proposal);
  const std::vector<keyspace::Record>& records() const { return records_; }
  std::vector<keyspace::Record> take_records() { return std::exchange(records_, {}); }
  // Of keys and values recorded so far.
  size_t bytes() const { return bytes_; }
  // Whether the records of this batch change keys and nothing else.
  bool only_keys() const { return only_keys_; }

 private:
  keyspace::Record minor_record(keyspace::RecordKind kind) const;
  Result<keyspace::PutResult> run(const keyspace::PutRequest& request);
  Result<keyspace::DeleteRangeResult> run(const keyspace::DeleteRangeRequest& request);
  Result<keyspace::TxnResult> run(const keyspace::TxnRequest& request);
  Result<Revision> run(const CompactRequest& request);
  Result<LeaseGrantResult> run(const GrantRequest& request);
  Result<Revision> run(const RevokeRequest& request);
  Result<Revision> run(const CheckpointRequest& request);
  Result<Revision> run(const CompactDoneRequest& request);
  Result<AlarmResult> run(const AlarmChange& request);
  Result<Revision> run(const auth::Change& change);

  // Whether the caller may do this, as users and roles stand here.
  Status admit(const Proposal& proposal) const;

  // The keyspace keeps a reference to it while it stages.
  struct LeaseExists {
    const lease::LeaseTable& leases;
    bool operator()(LeaseId id) const { return leases.exists(id); }
  };

  State& state_;
  LeaseExists lease_exists_{state_.leases};
  Seq seq_;
  Revision compact_staged_{-1};  // by an earlier proposal of this batch
  std::vector<keyspace::Record> records_;
  Capacity capacity_{state_, records_};
  // For prefetch(), kept for their capacity.
  std::vector<std::string_view> keys_;
  std::vector<const keyspace::KeyHistory*> places_;
  size_t bytes_ = 0;
  bool only_keys_ = true;
};

}  // namespace lattice::replica
