#include "replica/evaluator.h"

#include <algorithm>
#include <utility>

#include "base/planted.h"
#include "replica/gate.h"

namespace lattice::replica {

using keyspace::Record;
using keyspace::RecordKind;

namespace {

// The TTL that the tenant's bounds leave of what a client asks for.
int64_t within_bounds(const TenantLimits& limits, int64_t ttl_seconds) {
  if (ttl_seconds == 0) ttl_seconds = limits.lease_ttl_seconds_default;
  const int64_t max = limits.lease_ttl_seconds_max;
  return max == 0 ? ttl_seconds : std::min(ttl_seconds, max);
}

}  // namespace

void Evaluator::begin(Seq seq) {
  seq_ = seq;
  records_.clear();
  capacity_.begin();
  bytes_ = 0;
  only_keys_ = true;
  compact_staged_ = Revision(-1);
}

void Evaluator::prefetch(std::span<const Proposal> proposals) {
  keys_.clear();
  for (const Proposal& proposal : proposals) {
    if (const auto* put = std::get_if<PutOperation>(&proposal.operation)) {
      keys_.push_back(put->request.key);
    } else if (const auto* txn = std::get_if<TxnOperation>(&proposal.operation)) {
      if (!txn->request.compares.empty()) keys_.push_back(txn->request.compares.front().range.key);
    }
  }
  // Where they are now does not matter: evaluation moves things.
  places_.resize(keys_.size());
  if (keys_.size() > 1) state_.keyspace.locate(keys_, places_);
}

void Evaluator::evaluate(Proposal& proposal) {
  const size_t before = records_.size();
  const Status admitted = admit(proposal);
  std::visit(
      [&](auto& operation) {
        admitted.ok() ? operation.answer.emplace(run(operation.request))
                      : operation.answer.emplace(admitted);
      },
      proposal.operation);
  for (size_t i = before; i < records_.size(); ++i) {
    bytes_ += records_[i].key.size() + records_[i].value.size();
    only_keys_ = only_keys_ && keyspace::changes_key(records_[i].kind);
  }
}

Status Evaluator::admit(const Proposal& proposal) const {
  const auth::Tables& tables = state_.auth.staged();
  if (!tables.enabled || proposal.origin == Origin::internal) return {};
  struct Judge {
    const Gate gate;
    Status operator()(const PutOperation& put) const { return gate.check(put.request); }
    Status operator()(const DeleteOperation& remove) const { return gate.check(remove.request); }
    Status operator()(const TxnOperation& txn) const { return gate.check(txn.request); }
    Status operator()(const GrantOperation&) const { return gate.writer(); }
    Status operator()(const RevokeOperation& revoke) const {
      return gate.leased(revoke.request.id, auth::Tables::Access::write);
    }
    Status operator()(const CompactOperation&) const { return gate.root(); }
    Status operator()(const AlarmOperation&) const { return gate.root(); }
    Status operator()(const AuthOperation&) const { return gate.root(); }
    // The leader's own, whoever asks.
    Status operator()(const CheckpointOperation&) const { return Error::permission_denied; }
    Status operator()(const CompactDoneOperation&) const { return Error::permission_denied; }
  };
  return std::visit(Judge{{state_, tables, proposal.caller}}, proposal.operation);
}

Record Evaluator::minor_record(RecordKind kind) const {
  Record record;
  record.kind = kind;
  record.revision = state_.keyspace.staged_revision();
  return record;
}

Result<keyspace::PutResult> Evaluator::run(const keyspace::PutRequest& request) {
  if (Status status = capacity_.admit(request); !status.ok()) return status;
  return state_.keyspace.stage_put(request, {seq_, &records_, lease_exists_});
}

Result<keyspace::DeleteRangeResult> Evaluator::run(const keyspace::DeleteRangeRequest& request) {
  if (Status status = capacity_.admit_change(); !status.ok()) return status;
  return state_.keyspace.stage_delete_range(request, {seq_, &records_, lease_exists_});
}

Result<keyspace::TxnResult> Evaluator::run(const keyspace::TxnRequest& request) {
  if (Status status = capacity_.admit(request); !status.ok()) return status;
  return state_.keyspace.stage_txn(request, {seq_, &records_, lease_exists_});
}

Result<Revision> Evaluator::run(const CompactRequest& request) {
  if (Status status = capacity_.admit_change(); !status.ok()) return status;
  if (request.revision <= compact_staged_) return Error::compacted;
  if (Status status = state_.keyspace.check_compact(request.revision); !status.ok()) {
    return status;
  }
  compact_staged_ = request.revision;
  Record record = minor_record(RecordKind::compact);
  record.number = request.revision.value;
  records_.push_back(std::move(record));
  return state_.keyspace.staged_revision();
}

Result<LeaseGrantResult> Evaluator::run(const GrantRequest& request) {
  if (Status status = capacity_.admit_grant(); !status.ok()) return status;
  const Result<int64_t> ttl =
      lease::LeaseTable::effective_ttl(within_bounds(*state_.limits, request.ttl_seconds));
  if (!ttl.ok()) return ttl.status();
  LeaseId id = request.id;
  while (id == LeaseId(0) || (request.id == LeaseId(0) && state_.leases.exists(id))) {
    id = LeaseId(static_cast<int64_t>(state_.random.next() >> 1));
  }
  const Status status = state_.leases.stage_grant(id, *ttl);
  if (!status.ok()) return status;
  Record record = minor_record(RecordKind::lease_grant);
  record.lease = id;
  record.number = *ttl;
  records_.push_back(std::move(record));
  return LeaseGrantResult{state_.keyspace.staged_revision(), id, *ttl};
}

Result<Revision> Evaluator::run(const RevokeRequest& request) {
  if (request.if_expired && !planted(Planted::deposed_lease_owner) &&
      !state_.leases.is_expired(request.id, state_.environment.now())) {
    return Error::lease_not_found;
  }
  if (Status status = capacity_.admit_change(); !status.ok()) return status;
  if (Status status = state_.leases.stage_revoke(request.id); !status.ok()) return status;
  state_.keyspace.stage_delete_leased(request.id, {seq_, &records_, lease_exists_});
  Record record = minor_record(RecordKind::lease_revoke);
  record.lease = request.id;
  records_.push_back(std::move(record));
  return state_.keyspace.staged_revision();
}

Result<Revision> Evaluator::run(const CheckpointRequest& request) {
  for (const lease::LeaseTable::Checkpoint& checkpoint : request.checkpoints) {
    if (!state_.leases.exists(checkpoint.id)) continue;
    Record record = minor_record(RecordKind::lease_checkpoint);
    record.lease = checkpoint.id;
    record.number = checkpoint.remaining_seconds;
    records_.push_back(std::move(record));
  }
  return state_.keyspace.staged_revision();
}

Result<AlarmResult> Evaluator::run(const AlarmChange& request) {
  return AlarmResult{state_.keyspace.staged_revision(), capacity_.change(request)};
}

Result<Revision> Evaluator::run(const CompactDoneRequest& request) {
  if (state_.keyspace.compact_revision() == request.revision) {
    Record record = minor_record(RecordKind::compact_done);
    record.number = request.revision.value;
    record.version = request.hash;
    records_.push_back(std::move(record));
  }
  return state_.keyspace.staged_revision();
}

Result<Revision> Evaluator::run(const auth::Change& change) {
  const size_t before = records_.size();
  if (Status status = state_.auth.stage(change, &records_); !status.ok()) return status;
  for (size_t i = before; i < records_.size(); ++i) {
    records_[i].revision = state_.keyspace.staged_revision();
  }
  return state_.keyspace.staged_revision();
}

}  // namespace lattice::replica
