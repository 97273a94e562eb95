#include <algorithm>
#include <map>

#include "absl/container/flat_hash_set.h"
#include "base/string_hash.h"
#include "keyspace/interval.h"
#include "keyspace/keyspace.h"

namespace lattice::keyspace {
namespace {

using NestedTxn = std::unique_ptr<TxnRequest>;

// Disjoint intervals of keys, so that "does any delete cover this key" is one look-up.
class DeletedKeys {
 public:
  // An interval that ends at or before its begin covers nothing. An end of "\0" is such an end
  // here, although it means "open" everywhere else: etcd overlooks it and so do we.
  void add(std::string begin, std::string end) {
    if (end <= begin) return;
    auto at = intervals_.upper_bound(begin);
    if (at != intervals_.begin() && std::prev(at)->second >= begin) {
      --at;
      begin = at->first;
      end = std::max(end, at->second);
    }
    while (at != intervals_.end() && at->first <= end) {
      end = std::max(end, at->second);
      at = intervals_.erase(at);
    }
    intervals_.emplace(std::move(begin), std::move(end));
  }
  void add(const KeyRange& range) {
    add(range.key, range.end.empty() ? range.key + '\0' : range.end);
  }
  void add_all(const DeletedKeys& other) {
    for (const auto& [begin, end] : other.intervals_) add(begin, end);
  }
  bool covers(std::string_view key) const {
    auto at = intervals_.upper_bound(key);
    return at != intervals_.begin() && key < std::prev(at)->second;
  }

 private:
  std::map<std::string, std::string, std::less<>> intervals_;
};

struct Effects {
  absl::flat_hash_set<std::string_view, StringHash, StringEqual> puts;
  DeletedKeys deletes;
};

// Takes over the puts of one branch of a nested transaction. `other_branch` may put the same keys:
// only one of the two runs.
Status merge_puts(const Effects& nested, const Effects* other_branch, Effects* level) {
  for (std::string_view key : nested.puts) {
    const bool seen = level->puts.contains(key);
    if (seen && (other_branch == nullptr || !other_branch->puts.contains(key))) {
      return Error::duplicate_key;
    }
    if (level->deletes.covers(key)) return Error::duplicate_key;
  }
  level->puts.insert(nested.puts.begin(), nested.puts.end());
  return {};
}

// The puts and deletes that a list of operations may carry out, in the order that decides what etcd
// accepts (etcd-v3.md 1.5): deletes of this level, nested transactions, puts of this level.
Status collect(const std::vector<RequestOp>& ops, Effects* level) {
  for (const RequestOp& op : ops) {
    if (const auto* remove = std::get_if<DeleteRangeRequest>(&op)) {
      level->deletes.add(remove->range);
    }
  }
  for (const RequestOp& op : ops) {
    const auto* nested = std::get_if<NestedTxn>(&op);
    if (nested == nullptr) continue;
    Effects success;
    if (Status status = collect((*nested)->success, &success); !status.ok()) return status;
    Effects failure;
    if (Status status = collect((*nested)->failure, &failure); !status.ok()) return status;
    if (Status status = merge_puts(success, nullptr, level); !status.ok()) return status;
    if (Status status = merge_puts(failure, &success, level); !status.ok()) return status;
    level->deletes.add_all(success.deletes);
    level->deletes.add_all(failure.deletes);
  }
  for (const RequestOp& op : ops) {
    const auto* put = std::get_if<PutRequest>(&op);
    if (put == nullptr) continue;
    if (!level->puts.insert(put->key).second) return Error::duplicate_key;
    if (level->deletes.covers(put->key)) return Error::duplicate_key;
  }
  return {};
}

// Fields and budgets of one transaction and those nested in it.
Status check_ops(const TxnRequest& request, int64_t ops_max);

Status check_op(const RequestOp& op, int64_t nested_ops_max) {
  if (const auto* range = std::get_if<RangeRequest>(&op)) return validate(*range);
  if (const auto* put = std::get_if<PutRequest>(&op)) return validate(*put);
  if (const auto* remove = std::get_if<DeleteRangeRequest>(&op)) return validate(*remove);
  const auto* nested = std::get_if<NestedTxn>(&op);
  if (nested == nullptr || *nested == nullptr) return Error::key_not_found;
  return check_ops(**nested, nested_ops_max);
}

Status check_ops(const TxnRequest& request, int64_t ops_max) {
  const auto count = static_cast<int64_t>(
      std::max({request.compares.size(), request.success.size(), request.failure.size()}));
  if (count > ops_max) return Error::too_many_ops;
  for (const Compare& compare : request.compares) {
    if (compare.range.key.empty()) return Error::empty_key;
  }
  for (const RequestOp& op : request.success) {
    if (Status status = check_op(op, ops_max - count); !status.ok()) return status;
  }
  for (const RequestOp& op : request.failure) {
    if (Status status = check_op(op, ops_max - count); !status.ok()) return status;
  }
  return {};
}

bool only_ranges(const std::vector<RequestOp>& ops) {
  return std::all_of(ops.begin(), ops.end(),
                     [](const RequestOp& op) { return std::holds_alternative<RangeRequest>(op); });
}

}  // namespace

Status validate(const RangeRequest& request) {
  if (request.range.key.empty()) return Error::empty_key;
  const auto order = static_cast<int32_t>(request.sort_order);
  if (order < 0 || order > static_cast<int32_t>(SortOrder::descend)) {
    return Error::invalid_sort_option;
  }
  const auto target = static_cast<int32_t>(request.sort_target);
  if (target < 0 || target > static_cast<int32_t>(SortTarget::value)) {
    return Error::invalid_sort_option;
  }
  return {};
}

Status validate(const PutRequest& request) {
  if (request.key.empty()) return Error::empty_key;
  if (request.ignore_value && !request.value.empty()) return Error::value_provided;
  if (request.ignore_lease && request.lease != LeaseId(0)) return Error::lease_provided;
  return {};
}

Status validate(const DeleteRangeRequest& request) {
  return request.range.key.empty() ? Status(Error::empty_key) : Status();
}

Status validate(const TxnRequest& request, int max_txn_ops) {
  if (Status status = check_ops(request, max_txn_ops); !status.ok()) return status;
  Effects success;
  if (Status status = collect(request.success, &success); !status.ok()) return status;
  Effects failure;
  return collect(request.failure, &failure);
}

bool is_read_only(const TxnRequest& request) {
  return only_ranges(request.success) && only_ranges(request.failure);
}

}  // namespace lattice::keyspace
