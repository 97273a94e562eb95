// The changes of one request, staged one after the other under one revision.
//
// Thread: the keyspace's. A Mutation is either finished or aborted before another one begins.
#pragma once

#include "keyspace/state.h"

namespace lattice::keyspace {

class Mutation {
 public:
  Mutation(State* state, const Keyspace::Stage& stage)
      : state_(*state),
        stage_(stage),
        begin_(state->staged_revision),
        staged_before_(state->staged.size()),
        records_before_(stage.records->size()) {}

  // The newest revision that a read inside this request sees, and that its answers name: the one
  // before the request until something has changed, then the request's own (etcd-v3.md 1.5).
  Revision current() const { return changes_ == 0 ? begin_ : begin_ + 1; }
  Revision begin() const { return begin_; }
  State& state() { return state_; }
  bool lease_exists(LeaseId lease) const { return stage_.lease_exists(lease); }

  // Errors: key_not_found for ignore_value or ignore_lease on a key that is not alive.
  Result<PutResult> put(const PutRequest& request);
  DeleteRangeResult delete_range(const DeleteRangeRequest& request);
  // Requires: the key is alive.
  void delete_key(std::string_view key);

  // Takes the request's revision if something changed.
  void finish();
  // Undoes the changes of this request.
  void abort();

 private:
  RecordId next_id() const;
  void add(KeyHistory* of_key, KvRef version);
  void bury(KeyHistory* history);

  State& state_;
  const Keyspace::Stage& stage_;
  const Revision begin_;
  const size_t staged_before_;
  const size_t records_before_;
  int32_t changes_ = 0;
};

// Undoes staged versions, newest first, until `keep` are left.
void unstage(State* state, size_t keep);

}  // namespace lattice::keyspace
