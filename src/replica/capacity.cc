#include "replica/capacity.h"

#include <algorithm>
#include <string>
#include <variant>

namespace lattice::replica {
namespace {

using keyspace::RecordKind;
using NestedTxn = std::unique_ptr<keyspace::TxnRequest>;

// As etcd counts them (etcd-v3.md 4.8).
constexpr int64_t put_overhead_bytes = 256;
constexpr int64_t lease_bytes = 64;

template <class OfPut, class OfTxn>
int64_t sum_over(const std::vector<keyspace::RequestOp>& ops, OfPut of_put, OfTxn of_txn) {
  int64_t sum = 0;
  for (const keyspace::RequestOp& op : ops) {
    if (const auto* put = std::get_if<keyspace::PutRequest>(&op)) sum += of_put(*put);
    if (const auto* nested = std::get_if<NestedTxn>(&op)) sum += of_txn(**nested);
  }
  return sum;
}

// Puts of keys that are not there, in the branch that has more of them: which one will run is not
// known yet.
int64_t creations(const keyspace::Keyspace& keys, const keyspace::TxnRequest& request) {
  const auto of_put = [&](const keyspace::PutRequest& put) { return keys.holds(put.key) ? 0 : 1; };
  const auto of_txn = [&](const keyspace::TxnRequest& nested) { return creations(keys, nested); };
  return std::max(sum_over(request.success, of_put, of_txn),
                  sum_over(request.failure, of_put, of_txn));
}

Status limit_reached(std::string_view what, int64_t limit) {
  return {Error::resource_exhausted, "lattice: the tenant's limit of " + std::to_string(limit) +
                                         " " + std::string(what) + " is reached"};
}

}  // namespace

int64_t quota_cost(const keyspace::PutRequest& request) {
  return put_overhead_bytes + static_cast<int64_t>(request.key.size() + request.value.size());
}

int64_t quota_cost(const keyspace::TxnRequest& request) {
  const auto of_put = [](const keyspace::PutRequest& put) { return quota_cost(put); };
  const auto of_txn = [](const keyspace::TxnRequest& nested) { return quota_cost(nested); };
  return std::max(sum_over(request.success, of_put, of_txn),
                  sum_over(request.failure, of_put, of_txn));
}

int64_t quota_bytes_used(const State& state) {
  return static_cast<int64_t>(state.keyspace.stored_bytes()) +
         static_cast<int64_t>(state.leases.size()) * lease_bytes;
}

Status Capacity::admit(const keyspace::PutRequest& request) {
  if (!fits(request)) return Error::request_too_large;
  if (Status status = admit_growth(quota_cost(request)); !status.ok()) return status;
  if (state_.limits->keys_max == 0 || state_.keyspace.holds(request.key)) return {};
  return admit_keys(1);
}

Status Capacity::admit(const keyspace::TxnRequest& request) {
  const int64_t cost = quota_cost(request);
  if (cost == 0) return admit_change();
  if (!fits(request.success) || !fits(request.failure)) return Error::request_too_large;
  if (Status status = admit_growth(cost); !status.ok()) return status;
  if (state_.limits->keys_max == 0) return {};
  return admit_keys(creations(state_.keyspace, request));
}

bool Capacity::fits(const keyspace::PutRequest& request) const {
  const TenantLimits& limits = *state_.limits;
  const auto within = [](size_t size, int64_t max) {
    return max == 0 || size <= static_cast<size_t>(max);
  };
  return within(request.key.size(), limits.key_bytes_max) &&
         within(request.value.size(), limits.value_bytes_max);
}

bool Capacity::fits(const std::vector<keyspace::RequestOp>& ops) const {
  return std::ranges::all_of(ops, [this](const keyspace::RequestOp& op) {
    if (const auto* put = std::get_if<keyspace::PutRequest>(&op)) return fits(*put);
    const auto* nested = std::get_if<NestedTxn>(&op);
    return nested == nullptr || (fits((*nested)->success) && fits((*nested)->failure));
  });
}

Status Capacity::admit_grant() {
  if (Status status = admit_growth(lease_bytes); !status.ok()) return status;
  const int64_t limit = state_.limits->leases_max;
  if (limit == 0 || static_cast<int64_t>(state_.leases.size()) < limit) return {};
  return limit_reached("leases", limit);
}

Status Capacity::admit_change() const {
  return active(alarm_corrupt) ? Status(Error::corrupt) : Status();
}

Status Capacity::admit_growth(int64_t cost) {
  const int64_t quota = state_.limits->quota_bytes;
  if (quota >= 0 && quota_bytes_used(state_) + cost >= quota) {
    // Of whichever member: one is enough to refuse writes.
    if (!active(alarm_no_space)) change({true, {state_.options.member_id, alarm_no_space}});
    return Error::no_space;
  }
  if (Status status = admit_change(); !status.ok()) return status;
  return active(alarm_no_space) ? Status(Error::no_space) : Status();
}

Status Capacity::admit_keys(int64_t created) const {
  const int64_t limit = state_.limits->keys_max;
  if (created == 0 || state_.keyspace.staged_key_count() + created <= limit) return {};
  return limit_reached("keys", limit);
}

std::vector<Alarm> Capacity::change(const AlarmChange& change) {
  const auto at = std::ranges::find(alarms_, change.alarm);
  if (change.raise) {
    if (at == alarms_.end()) {
      alarms_.push_back(change.alarm);
      record(RecordKind::alarm_on, change.alarm);
    }
    return {change.alarm};
  }
  if (at == alarms_.end()) return {};
  alarms_.erase(at);
  record(RecordKind::alarm_off, change.alarm);
  return {change.alarm};
}

bool Capacity::active(int32_t type) const {
  return std::ranges::any_of(alarms_, [&](const Alarm& alarm) { return alarm.type == type; });
}

void Capacity::record(RecordKind kind, const Alarm& alarm) {
  keyspace::Record record;
  record.kind = kind;
  record.revision = state_.keyspace.staged_revision();
  record.lease = LeaseId(static_cast<int64_t>(alarm.member_id));
  record.number = alarm.type;
  records_.push_back(std::move(record));
}

}  // namespace lattice::replica
