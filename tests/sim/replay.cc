#include "sim/replay.h"

#include <utility>

#include "keyspace/model_answers.h"

namespace lattice::sim {
namespace {

using keyspace::ModelEvent;
using keyspace::Record;
using keyspace::RecordKind;
using keyspace::ReferenceModel;
using keyspace::to_model;

bool is_key(const Record& record) {
  return record.kind == RecordKind::put || record.kind == RecordKind::tombstone;
}

bool same(const Record& record, const ModelEvent& event) {
  const bool tombstone = record.kind == RecordKind::tombstone;
  if (record.revision.value != event.revision || record.sub != event.sub ||
      tombstone != event.tombstone || record.key.view() != event.kv.key) {
    return false;
  }
  return tombstone || (record.value.view() == event.kv.value &&
                       record.create_revision.value == event.kv.create &&
                       record.version == event.kv.version && record.lease.value == event.kv.lease);
}

std::string at_revision(const char* what, int64_t revision) {
  return std::string(what) + " at revision " + std::to_string(revision);
}

}  // namespace

Replay::Replay(const SimDatabase& database, const History& history, Probes& probes, Fail fail)
    : database_(database), history_(history), probes_(probes), fail_(fail) {}

Truth Replay::run() {
  sort_operations();
  check_reads();
  for (const auto& [seq, committed] : database_.truth()) take_batch(committed);
  truth_.head = model_.revision();
  for (const auto& [revision, ops] : writers_) {
    if (!ops.empty()) fail_(at_revision("A3: an acknowledged write is not in the log", revision));
  }
  for (const auto& [revision, ops] : readers_) {
    if (revision > model_.revision()) {
      fail_(at_revision("B13: an answer from behind the head of the log", revision));
    }
  }
  return std::move(truth_);
}

void Replay::sort_operations() {
  for (const Op& op : history_.ops) {
    const bool may_write =
        !std::holds_alternative<RangeOp>(op.what) && !std::holds_alternative<KeepAliveOp>(op.what);
    if (op.outcome == Outcome::ok) {
      (wrote(op) ? writers_ : readers_)[header_of(op)].push_back(&op);
    } else if (may_write && op.outcome != Outcome::refused) {
      unknown_.push_back(&op);
    }
  }
}

void Replay::take_batch(const Committed& committed) {
  const std::vector<Record>& records = committed.batch->records;
  for (size_t i = 0; i < records.size();) {
    if (!is_key(records[i])) {
      take_minor(records[i++], committed.at);
      continue;
    }
    Group group;
    group.revision = records[i].revision.value;
    group.at = committed.at;
    for (; i < records.size() && is_key(records[i]) && records[i].revision.value == group.revision;
         ++i) {
      group.records.push_back(&records[i]);
    }
    if (i < records.size() && records[i].kind == RecordKind::lease_revoke) {
      group.revoke = &records[i];
    }
    take_group(group);
  }
}

void Replay::take_minor(const Record& record, int64_t at) {
  if (record.revision.value != model_.revision()) {
    fail_(at_revision("A1: a record that changes no key has another revision",
                      record.revision.value));
  }
  switch (record.kind) {
    case RecordKind::lease_grant:
      if (leases_.contains(record.lease.value)) fail_("E38: a lease was granted twice");
      leases_[record.lease.value] = {at, record.number};
      truth_.grants.push_back({record.lease.value, at});
      model_.grant(record.lease);
      break;
    case RecordKind::lease_revoke: {
      const auto lease = leases_.find(record.lease.value);
      if (lease == leases_.end()) {
        fail_("E42: a lease ended twice, or was never granted");
        break;
      }
      truth_.revokes.push_back({record.lease.value, lease->second.first, lease->second.second, at});
      leases_.erase(lease);
      if (!model_.leased_keys(record.lease).empty()) fail_("E41: a revoke left keys behind");
      model_.revoke(record.lease);
      break;
    }
    case RecordKind::compact:
      if (!truth_.compacts.empty() && record.number <= truth_.compacts.back().revision) {
        fail_("C16: the compact revision went backward");
      }
      truth_.compacts.push_back({record.number, at});
      break;
    default:
      break;
  }
}

void Replay::take_group(const Group& group) {
  if (group.revision != model_.revision() + 1) {
    return fail_(at_revision("A1: a gap or a repetition", group.revision));
  }
  const bool explained =
      explain_by_owner(group) || explain_by_revoke(group) || explain_by_unknown(group);
  if (!explained) {
    fail_(at_revision("A2, A4 or A5: nobody can have made the change", group.revision));
    return;
  }
  note_events(group);
  check_reads();
}

bool Replay::explain_by_owner(const Group& group) {
  const auto at = writers_.find(group.revision);
  if (at == writers_.end() || at->second.empty()) return false;
  if (at->second.size() > 1) {
    fail_(at_revision("B6: two writes were acknowledged with one revision", group.revision));
  }
  const Op& op = *at->second.front();
  at->second.clear();
  if (op.called > group.at)
    fail_(at_revision("A2: written before it was asked for", group.revision));
  if (op.returned < group.at)
    fail_(at_revision("A3: acknowledged before it was written", group.revision));
  ReferenceModel after = model_;
  if (!makes(op, group, &after, true)) {
    fail_(at_revision("B7, B8, B10: an acknowledged write does something else", group.revision));
  }
  // Go on from the log whatever was answered.
  model_ = std::move(after);
  return true;
}

bool Replay::explain_by_revoke(const Group& group) {
  if (group.revoke == nullptr || model_.leased_keys(group.revoke->lease).empty()) return false;
  ReferenceModel after = model_;
  const size_t before = after.all_events().size();
  after.revoke(group.revoke->lease);
  if (!matches(group, after, before)) return false;
  // The lease itself ends with its own record, right behind.
  after.grant(group.revoke->lease);
  model_ = std::move(after);
  return true;
}

bool Replay::explain_by_unknown(const Group& group) {
  for (const Op*& op : unknown_) {
    if (op == nullptr || op->called > group.at) continue;
    ReferenceModel after = model_;
    if (!makes(*op, group, &after, false)) continue;
    probes_.hit("sim: an operation of unknown outcome had happened");
    op = nullptr;
    model_ = std::move(after);
    return true;
  }
  return false;
}

bool Replay::makes(const Op& op, const Group& group, ReferenceModel* model, bool check_result) {
  const size_t before = model->all_events().size();
  bool same_answer = true;
  if (const auto* put = std::get_if<PutOp>(&op.what)) {
    const auto answer = model->put(put->request);
    if (!answer.ok()) return false;
    if (check_result) same_answer = *answer == to_model(*put->result);
  } else if (const auto* remove = std::get_if<DeleteOp>(&op.what)) {
    const auto answer = model->delete_range(remove->request);
    if (check_result) same_answer = answer == to_model(*remove->result);
  } else if (const auto* txn = std::get_if<TxnOp>(&op.what)) {
    const auto answer = model->txn(txn->request);
    if (!answer.ok()) return false;
    if (check_result) same_answer = *answer == to_model(*txn->result);
  } else if (const auto* revoke = std::get_if<RevokeOp>(&op.what)) {
    if (group.revoke == nullptr || group.revoke->lease != revoke->id) return false;
    model->revoke(revoke->id);
    model->grant(revoke->id);
  } else {
    return false;
  }
  return same_answer && matches(group, *model, before);
}

bool Replay::matches(const Group& group, const ReferenceModel& model, size_t events_before) const {
  const std::vector<ModelEvent>& events = model.all_events();
  if (events.size() != events_before + group.records.size()) return false;
  for (size_t i = 0; i < group.records.size(); ++i) {
    if (!same(*group.records[i], events[events_before + i])) return false;
  }
  return true;
}

void Replay::note_events(const Group& group) {
  const std::vector<ModelEvent>& events = model_.all_events();
  for (size_t i = events.size() - group.records.size(); i < events.size(); ++i) {
    const ModelEvent& event = events[i];
    TruthEvent truth{
        event.revision,  event.sub,        event.tombstone, event.kv.key, event.kv.value,
        event.kv.create, event.kv.version, false,           {},           0};
    if (const auto previous = model_.previous(event)) {
      truth.has_prev = true;
      truth.prev_value = previous->value;
      truth.prev_mod = previous->mod;
    }
    truth_.events.push_back(std::move(truth));
  }
}

// Everything that was answered at the model's present revision.
void Replay::check_reads() {
  const auto at = readers_.find(model_.revision());
  if (at == readers_.end()) return;
  for (const Op* op : at->second) {
    bool right = true;
    if (const auto* range = std::get_if<RangeOp>(&op->what)) {
      const auto answer = model_.range(range->request);
      right = answer.ok() && *answer == to_model(*range->result);
    } else if (const auto* remove = std::get_if<DeleteOp>(&op->what)) {
      ReferenceModel copy = model_;
      right = copy.delete_range(remove->request) == to_model(*remove->result);
    } else if (const auto* txn = std::get_if<TxnOp>(&op->what)) {
      ReferenceModel copy = model_;
      const auto answer = copy.txn(txn->request);
      right = answer.ok() && *answer == to_model(*txn->result);
    }
    if (!right) {
      fail_(at_revision("B7, B9, B11, C18: a read saw another state", model_.revision()) +
            ", asked for at " + std::to_string(op->called / 1'000'000) + " ms by client " +
            std::to_string(op->client));
    }
  }
}

}  // namespace lattice::sim
