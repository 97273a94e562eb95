// What etcd's KV semantics mean, written down as plainly as possible: a copy of all keys for every
// revision there ever was. Slow, and meant to be checked by reading. Unit tests compare Keyspace
// with it; the simulator compares whole clusters with it.
//
// A ReferenceModel is a value: copy it to remember a state, assign it to go back (a rollback).
// Requests must have passed keyspace::validate. Leases: only whether they exist.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "keyspace/requests.h"

namespace lattice::keyspace {

struct ModelKv {
  std::string key;
  std::string value;
  int64_t create = 0;
  int64_t mod = 0;
  int64_t version = 0;
  int64_t lease = 0;
  bool operator==(const ModelKv&) const = default;
};

struct ModelEvent {
  int64_t revision = 0;
  int32_t sub = 0;
  bool tombstone = false;
  ModelKv kv;  // key and mod alone for a tombstone
  bool operator==(const ModelEvent&) const = default;
};

struct ModelRange {
  int64_t header = 0;
  std::vector<ModelKv> kvs;
  bool more = false;
  int64_t count = 0;
  bool operator==(const ModelRange&) const = default;
};

struct ModelPut {
  int64_t header = 0;
  std::optional<ModelKv> prev;
  bool operator==(const ModelPut&) const = default;
};

struct ModelDelete {
  int64_t header = 0;
  int64_t deleted = 0;
  std::vector<ModelKv> prevs;
  bool operator==(const ModelDelete&) const = default;
};

struct ModelTxn;
using ModelResponse = std::variant<ModelRange, ModelPut, ModelDelete, std::vector<ModelTxn>>;
struct ModelTxn {
  int64_t header = 0;
  bool succeeded = false;
  std::vector<ModelResponse> responses;  // a nested transaction is a list of one
  bool operator==(const ModelTxn&) const;
};
inline bool ModelTxn::operator==(const ModelTxn& other) const {
  return header == other.header && succeeded == other.succeeded && responses == other.responses;
}

class ReferenceModel {
 public:
  int64_t revision() const { return snapshots_.rbegin()->first; }
  int64_t compact_revision() const { return compact_; }

  Result<ModelRange> range(const RangeRequest& request) const {
    return range_in(keys_at(revision()), revision(), request);
  }
  Result<ModelPut> put(const PutRequest& request) {
    if (request.lease.value != 0 && !leases_.contains(request.lease.value)) {
      return Error::lease_not_found;
    }
    Work work = begin();
    Result<ModelPut> result = put_in(&work, request);
    finish(work);
    return result;
  }
  ModelDelete delete_range(const DeleteRangeRequest& request) {
    Work work = begin();
    ModelDelete result = delete_in(&work, request);
    finish(work);
    return result;
  }
  Result<ModelTxn> txn(const TxnRequest& request) {
    if (Status status = check(request); !status.ok()) return status;
    Work work = begin();
    ModelTxn result;
    if (Status status = run(&work, request, &result); !status.ok()) return status;
    result.header = work.current();
    finish(work);
    return result;
  }

  void grant(LeaseId lease) { leases_.insert(lease.value); }
  bool lease_exists(LeaseId lease) const { return leases_.contains(lease.value); }
  std::vector<std::string> leased_keys(LeaseId lease) const {
    std::vector<std::string> keys;
    for (const auto& [key, kv] : keys_at(revision())) {
      if (kv.lease == lease.value) keys.push_back(key);
    }
    return keys;
  }
  // Deletes the lease and its keys.
  void revoke(LeaseId lease) {
    Work work = begin();
    for (const std::string& key : leased_keys(lease)) bury(&work, key);
    finish(work);
    leases_.erase(lease.value);
  }

  Status compact(Revision to) {
    if (to.value <= compact_) return Error::compacted;
    if (to.value > revision()) return Error::future_revision;
    compact_ = to.value;
    return {};
  }

  // Everything a watch from `from` sees. Requires: from >= compact_revision().
  std::vector<ModelEvent> events(int64_t from) const {
    std::vector<ModelEvent> found;
    for (const ModelEvent& event : events_) {
      if (event.revision >= from && still_there(event)) found.push_back(event);
    }
    return found;
  }
  // Of each key: everything above the compact revision, and at or below it the newest, unless that
  // is a tombstone strictly older.
  bool still_there(const ModelEvent& event) const {
    if (event.revision > compact_) return true;
    if (event.tombstone && event.revision < compact_) return false;
    return !std::any_of(events_.begin(), events_.end(), [&](const ModelEvent& later) {
      return later.kv.key == event.kv.key && later.revision <= compact_ &&
             std::pair(later.revision, later.sub) > std::pair(event.revision, event.sub);
    });
  }
  const std::vector<ModelEvent>& all_events() const { return events_; }
  // prev_kv of the event: the key at the revision before, nothing for a creation or when that
  // revision is compacted away.
  std::optional<ModelKv> previous(const ModelEvent& event) const {
    if (!event.tombstone && event.kv.create == event.kv.mod) return std::nullopt;
    if (event.revision - 1 < compact_) return std::nullopt;
    const Keys& keys = keys_at(event.revision - 1);
    auto at = keys.find(event.kv.key);
    return at == keys.end() ? std::nullopt : std::optional(at->second);
  }

  static bool contains(const KeyRange& range, const std::string& key) {
    if (range.end.empty()) return key == range.key;
    if (range.end == std::string(1, '\0')) return key >= range.key;
    return range.key <= key && key < range.end;
  }

 private:
  using Keys = std::map<std::string, ModelKv>;
  struct Work {
    Keys keys;
    int64_t begin = 0;
    std::vector<ModelEvent> events;
    int64_t current() const { return events.empty() ? begin : begin + 1; }
  };

  Work begin() const { return {keys_at(revision()), revision(), {}}; }
  void finish(const Work& work) {
    if (work.events.empty()) return;
    snapshots_[work.begin + 1] = std::make_shared<const Keys>(work.keys);
    events_.insert(events_.end(), work.events.begin(), work.events.end());
  }
  // Revisions before the first change look like the empty revision 1.
  const Keys& keys_at(int64_t at) const { return *std::prev(snapshots_.upper_bound(at))->second; }

  static bool passes(const RangeRequest& request, const ModelKv& kv) {
    const auto in = [](int64_t number, Revision min, Revision max) {
      return (max.value == 0 || number <= max.value) && (min.value == 0 || number >= min.value);
    };
    return in(kv.mod, request.min_mod_revision, request.max_mod_revision) &&
           in(kv.create, request.min_create_revision, request.max_create_revision);
  }
  static bool less(SortTarget target, const ModelKv& a, const ModelKv& b) {
    switch (target) {
      case SortTarget::key:
        return a.key < b.key;
      case SortTarget::version:
        return a.version < b.version;
      case SortTarget::create:
        return a.create < b.create;
      case SortTarget::mod:
        return a.mod < b.mod;
      case SortTarget::value:
        return a.value < b.value;
    }
    return false;
  }

  // `latest` is what revision `current` looks like; it may be work in progress.
  Result<ModelRange> range_in(const Keys& latest, int64_t current,
                              const RangeRequest& request) const {
    if (request.revision.value > current) return Error::future_revision;
    const int64_t at = request.revision.value <= 0 ? current : request.revision.value;
    if (at < compact_) return Error::compacted;
    const Keys& keys = at == current ? latest : keys_at(at);

    ModelRange result;
    result.header = current;
    std::vector<ModelKv> kvs;
    for (const auto& [key, kv] : keys) {
      if (contains(request.range, key)) kvs.push_back(kv);
    }
    result.count = static_cast<int64_t>(kvs.size());
    if (request.count_only) return result;

    const bool filters =
        request.min_mod_revision.value != 0 || request.max_mod_revision.value != 0 ||
        request.min_create_revision.value != 0 || request.max_create_revision.value != 0;
    const auto limit = static_cast<size_t>(std::max<int64_t>(0, request.limit));
    if (limit > 0 && request.sort_order == SortOrder::none && !filters && kvs.size() > limit + 1) {
      kvs.resize(limit + 1);
    }
    std::erase_if(kvs, [&](const ModelKv& kv) { return !passes(request, kv); });
    const bool descend = request.sort_order == SortOrder::descend;
    std::stable_sort(kvs.begin(), kvs.end(), [&](const ModelKv& a, const ModelKv& b) {
      return descend ? less(request.sort_target, b, a) : less(request.sort_target, a, b);
    });
    if (limit > 0 && kvs.size() > limit) {
      kvs.resize(limit);
      result.more = true;
    }
    for (ModelKv& kv : kvs) {
      if (request.keys_only) kv.value.clear();
      // Sorting by value makes etcd read the stored keys, lease and all.
      if (request.keys_only && request.sort_target != SortTarget::value) kv.lease = 0;
    }
    result.kvs = std::move(kvs);
    return result;
  }

  static Result<ModelPut> put_in(Work* work, const PutRequest& request) {
    auto at = work->keys.find(request.key);
    const bool alive = at != work->keys.end();
    if ((request.ignore_value || request.ignore_lease) && !alive) return Error::key_not_found;
    ModelPut result;
    if (request.prev_kv && alive) result.prev = at->second;
    ModelKv kv;
    kv.key = request.key;
    kv.value = request.ignore_value ? at->second.value : request.value;
    kv.lease = request.ignore_lease ? at->second.lease : request.lease.value;
    kv.mod = work->begin + 1;
    kv.create = alive ? at->second.create : kv.mod;
    kv.version = alive ? at->second.version + 1 : 1;
    work->events.push_back({kv.mod, static_cast<int32_t>(work->events.size()), false, kv});
    work->keys[request.key] = kv;
    result.header = work->current();
    return result;
  }
  static void bury(Work* work, const std::string& key) {
    ModelKv kv;
    kv.key = key;
    kv.mod = work->begin + 1;
    work->events.push_back({kv.mod, static_cast<int32_t>(work->events.size()), true, kv});
    work->keys.erase(key);
  }
  static ModelDelete delete_in(Work* work, const DeleteRangeRequest& request) {
    ModelDelete result;
    std::vector<ModelKv> gone;
    for (const auto& [key, kv] : work->keys) {
      if (contains(request.range, key)) gone.push_back(kv);
    }
    for (const ModelKv& kv : gone) bury(work, kv.key);
    result.deleted = static_cast<int64_t>(gone.size());
    if (request.prev_kv) result.prevs = std::move(gone);
    result.header = work->current();
    return result;
  }

  // ---- Transactions ----
  static bool holds(CompareResult op, bool less, bool greater) {
    switch (op) {
      case CompareResult::equal:
        return !less && !greater;
      case CompareResult::not_equal:
        return less || greater;
      case CompareResult::less:
        return less;
      case CompareResult::greater:
        return greater;
    }
    return true;
  }
  static bool holds(const Compare& compare, const ModelKv& kv) {
    int64_t number = compare.number;
    switch (compare.target) {
      case CompareTarget::value:
        return holds(compare.result, kv.value<compare.value, kv.value> compare.value);
      case CompareTarget::version:
        number = kv.version;
        break;
      case CompareTarget::create:
        number = kv.create;
        break;
      case CompareTarget::mod:
        number = kv.mod;
        break;
      case CompareTarget::lease:
        number = kv.lease;
        break;
    }
    return holds(compare.result, number<compare.number, number> compare.number);
  }
  // Always on the state before the transaction, for nested ones too.
  bool succeeds(const TxnRequest& request) const {
    for (const Compare& compare : request.compares) {
      bool found = false;
      for (const auto& [key, kv] : keys_at(revision())) {
        if (!contains(compare.range, key)) continue;
        found = true;
        if (!holds(compare, kv)) return false;
      }
      if (found) continue;
      if (compare.target == CompareTarget::value || !holds(compare, ModelKv())) return false;
    }
    return true;
  }
  const std::vector<RequestOp>& chosen(const TxnRequest& request) const {
    return succeeds(request) ? request.success : request.failure;
  }
  Status check(const TxnRequest& request) const {
    for (const RequestOp& op : chosen(request)) {
      if (const auto* range = std::get_if<RangeRequest>(&op)) {
        if (range->revision.value == 0) continue;
        if (range->revision.value > revision()) return Error::future_revision;
        if (range->revision.value < compact_) return Error::compacted;
      } else if (const auto* put = std::get_if<PutRequest>(&op)) {
        if ((put->ignore_value || put->ignore_lease) && !keys_at(revision()).contains(put->key)) {
          return Error::key_not_found;
        }
        if (put->lease.value != 0 && !leases_.contains(put->lease.value)) {
          return Error::lease_not_found;
        }
      } else if (const auto* nested = std::get_if<std::unique_ptr<TxnRequest>>(&op)) {
        if (Status status = check(**nested); !status.ok()) return status;
      }
    }
    return {};
  }
  Status run(Work* work, const TxnRequest& request, ModelTxn* result) const {
    result->succeeded = succeeds(request);
    for (const RequestOp& op : chosen(request)) {
      if (const auto* range = std::get_if<RangeRequest>(&op)) {
        Result<ModelRange> answer = range_in(work->keys, work->current(), *range);
        if (!answer.ok()) return answer.status();
        result->responses.emplace_back(*answer);
      } else if (const auto* put = std::get_if<PutRequest>(&op)) {
        Result<ModelPut> answer = put_in(work, *put);
        if (!answer.ok()) return answer.status();
        result->responses.emplace_back(*answer);
      } else if (const auto* remove = std::get_if<DeleteRangeRequest>(&op)) {
        result->responses.emplace_back(delete_in(work, *remove));
      } else if (const auto* nested = std::get_if<std::unique_ptr<TxnRequest>>(&op)) {
        ModelTxn inner;
        if (Status status = run(work, **nested, &inner); !status.ok()) return status;
        result->responses.emplace_back(std::vector<ModelTxn>{inner});
      }
    }
    return {};
  }

  std::map<int64_t, std::shared_ptr<const Keys>> snapshots_{{1, std::make_shared<const Keys>()}};
  std::vector<ModelEvent> events_;
  std::set<int64_t> leases_;
  int64_t compact_ = -1;
};

}  // namespace lattice::keyspace
