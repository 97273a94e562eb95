// A keyspace with short words for what tests do to it.
#pragma once

#include <string>
#include <vector>

#include "keyspace/keyspace.h"

namespace lattice::keyspace {

class Workbench {
 public:
  Keyspace& keyspace() { return keyspace_; }
  std::vector<Record>& records() { return records_; }
  std::vector<LeaseId>& leases() { return leases_; }

  // ---- Staged, until commit() or rollback() ----
  Result<PutResult> try_put(const PutRequest& request) {
    return keyspace_.stage_put(request, stage());
  }
  PutResult stage_put(std::string key, std::string value, LeaseId lease = {}) {
    PutRequest request;
    request.key = std::move(key);
    request.value = std::move(value);
    request.lease = lease;
    request.prev_kv = true;
    return *try_put(request);
  }
  Result<TxnResult> try_txn(const TxnRequest& request) {
    if (Status status = validate(request, 128); !status.ok()) return status;
    return keyspace_.stage_txn(request, stage());
  }
  void commit() {
    keyspace_.commit(keyspace_.staged_revision());
    seq_ = seq_ + 1;
    records_.clear();
  }
  void rollback() {
    keyspace_.rollback();
    records_.clear();
  }

  // ---- Committed at once ----
  PutResult put(std::string key, std::string value, LeaseId lease = {}) {
    PutResult result = stage_put(std::move(key), std::move(value), lease);
    commit();
    return result;
  }
  DeleteRangeResult remove(std::string key, std::string end = "") {
    DeleteRangeRequest request{{std::move(key), std::move(end)}, true};
    DeleteRangeResult result = *keyspace_.stage_delete_range(request, stage());
    commit();
    return result;
  }
  Result<TxnResult> txn(const TxnRequest& request) {
    Result<TxnResult> result = try_txn(request);
    commit();
    return result;
  }
  void revoke(LeaseId lease) {
    keyspace_.stage_delete_leased(lease, stage());
    commit();
  }
  // Compacts to the end; answers the hash of the survivors.
  uint32_t compact(Revision revision) {
    keyspace_.set_compact_revision(revision);
    Keyspace::CompactStep step;
    do {
      step = keyspace_.compact_step(1, &dropped_);
    } while (!step.done);
    return step.hash;
  }
  std::vector<RecordId>& dropped() { return dropped_; }

  // ---- Reads ----
  RangeResult range(std::string key, std::string end = "") {
    RangeRequest request;
    request.range = {std::move(key), std::move(end)};
    return *keyspace_.range(request);
  }
  RangeResult range_all() { return range(std::string(1, '\0'), std::string(1, '\0')); }
  KvRef get(std::string key, Revision revision = {}) {
    RangeRequest request;
    request.range.key = std::move(key);
    request.revision = revision;
    Result<RangeResult> result = keyspace_.range(request);
    if (!result.ok() || result->kvs.empty()) return {};
    return result->kvs[0];
  }

  Keyspace::Stage stage() { return {seq_, &records_, lease_exists_}; }

 private:
  Keyspace keyspace_;
  Seq seq_{1};
  std::vector<Record> records_;
  std::vector<RecordId> dropped_;
  std::vector<LeaseId> leases_;
  std::function<bool(LeaseId)> lease_exists_ = [this](LeaseId id) {
    for (LeaseId known : leases_) {
      if (known == id) return true;
    }
    return false;
  };
};

}  // namespace lattice::keyspace
