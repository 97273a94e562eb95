// What can be asked of a keyspace, and what it answers: etcd's KV messages as plain data, free of
// protobuf and of transport. Field meanings and refusals are etcd's (etcd-v3.md 1.2 to 1.6).
// Thread: values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "keyspace/kv_record.h"

namespace lattice::keyspace {

// An interval of keys the way etcd writes it: an empty end means the one key, an end of "\0" means
// every key from `key` upward.
struct KeyRange {
  std::string key;
  std::string end;
};

// Raw numbers are kept where etcd's behaviour depends on values outside the enum.
enum class SortOrder : int32_t { none = 0, ascend = 1, descend = 2 };
enum class SortTarget : int32_t { key = 0, version = 1, create = 2, mod = 3, value = 4 };

struct RangeRequest {
  KeyRange range;
  int64_t limit = 0;
  Revision revision;
  SortOrder sort_order = SortOrder::none;
  SortTarget sort_target = SortTarget::key;
  bool serializable = false;
  bool keys_only = false;
  bool count_only = false;
  Revision min_mod_revision;
  Revision max_mod_revision;
  Revision min_create_revision;
  Revision max_create_revision;
};

struct PutRequest {
  std::string key;
  std::string value;
  LeaseId lease;
  bool prev_kv = false;
  bool ignore_value = false;
  bool ignore_lease = false;
};

struct DeleteRangeRequest {
  KeyRange range;
  bool prev_kv = false;
};

enum class CompareResult : int32_t { equal = 0, greater = 1, less = 2, not_equal = 3 };
enum class CompareTarget : int32_t { version = 0, create = 1, mod = 2, value = 3, lease = 4 };

struct Compare {
  CompareResult result = CompareResult::equal;
  CompareTarget target = CompareTarget::version;
  KeyRange range;
  // The operand that goes with `target`; zero or empty where the client set another arm or none.
  int64_t number = 0;
  std::string value;
};

struct TxnRequest;
// monostate: a RequestOp with no arm set, which etcd answers with ErrKeyNotFound.
using RequestOp = std::variant<std::monostate, RangeRequest, PutRequest, DeleteRangeRequest,
                               std::unique_ptr<TxnRequest>>;
struct TxnRequest {
  std::vector<Compare> compares;
  std::vector<RequestOp> success;
  std::vector<RequestOp> failure;
};

struct RangeResult {
  Revision header_revision;
  std::vector<KvRef> kvs;
  bool keys_only = false;  // encode each kv without its value and lease
  // ... but with its lease: etcd reads the values themselves to sort by them.
  bool keys_only_with_lease = false;
  bool more = false;
  int64_t count = 0;
};

struct PutResult {
  Revision header_revision;
  KvRef prev;  // null unless asked for and there
};

struct DeleteRangeResult {
  Revision header_revision;
  int64_t deleted = 0;
  std::vector<KvRef> prevs;
};

struct TxnResult;
using ResponseOp =
    std::variant<RangeResult, PutResult, DeleteRangeResult, std::unique_ptr<TxnResult>>;
struct TxnResult {
  Revision header_revision;
  bool succeeded = false;
  std::vector<ResponseOp> responses;
};

struct HashResult {
  Revision header_revision;
  uint32_t hash = 0;
  Revision compact_revision;  // -1 on a store that was never compacted
  Revision hash_revision;
};

// What was evaluated, as etcd's metrics of the same names count it: each put, range and deletion
// that ran, also those on behalf of a compare, of prev_kv or of a revoked lease. A `txn` is
// whatever ran more than one of them together; deciding a transaction that may write is one such
// thing, and running it another.
struct OperationCounts {
  uint64_t puts = 0;
  uint64_t deletes = 0;
  uint64_t ranges = 0;
  uint64_t txns = 0;
};

}  // namespace lattice::keyspace
