#include "keyspace/mutation.h"

#include "base/planted.h"

namespace lattice::keyspace {
namespace {

// The record that makes a log remember `version`; key and value share the version's block.
Record record_of(const KvRecord& version) {
  Record record;
  record.kind = version.tombstone() ? RecordKind::tombstone : RecordKind::put;
  record.revision = version.mod_revision();
  record.sub = version.sub();
  record.key = Bytes::within(&version, version.key().data(), version.key().size());
  if (version.tombstone()) return record;
  record.value = Bytes::within(&version, version.value().data(), version.value().size());
  record.create_revision = version.create_revision();
  record.version = version.version();
  record.lease = version.lease();
  return record;
}

}  // namespace

RecordId Mutation::next_id() const {
  return {stage_.seq, static_cast<uint32_t>(stage_.records->size())};
}

void Mutation::add(KeyHistory* of_key, KvRef version) {
  stage_.records->push_back(record_of(*version));
  state_.live_staged += live_delta(*version);
  state_.staged.push_back(version);
  ++changes_;
  state_.push(of_key, std::move(version));
}

Result<PutResult> Mutation::put(const PutRequest& request) {
  if (request.prev_kv || request.ignore_value || request.ignore_lease) ++state_.counts.ranges;
  KeyHistory* history = state_.index.find(request.key);
  const KvRecord* previous = history != nullptr && history->live() ? history->newest() : nullptr;
  if ((request.ignore_value || request.ignore_lease) && previous == nullptr) {
    return Error::key_not_found;
  }
  ++state_.counts.puts;
  PutResult result;
  if (request.prev_kv) result.prev = KvRef::share(previous);

  KvRecord::Fields fields;
  fields.key = request.key;
  fields.value = request.ignore_value ? previous->value() : std::string_view(request.value);
  fields.lease = request.ignore_lease ? previous->lease() : request.lease;
  fields.mod_revision = begin_ + 1;
  fields.create_revision = previous != nullptr ? previous->create_revision() : begin_ + 1;
  fields.version = previous != nullptr ? previous->version() + 1 : 1;
  if (planted(Planted::version_not_reset) && history != nullptr) fields.version += !previous;
  fields.sub = changes_;
  fields.id = next_id();
  add(history, KvRecord::make(fields));
  result.header_revision = current();
  return result;
}

void Mutation::bury(KeyHistory* history) {
  KvRecord::Fields fields;
  fields.key = history->key();
  fields.mod_revision = begin_ + 1;
  fields.sub = changes_;
  fields.id = next_id();
  fields.tombstone = true;
  add(history, KvRecord::make(fields));
}

void Mutation::delete_key(std::string_view key) {
  ++state_.counts.deletes;
  bury(state_.index.find(key));
}

DeleteRangeResult Mutation::delete_range(const DeleteRangeRequest& request) {
  ++state_.counts.deletes;
  if (request.prev_kv) ++state_.counts.ranges;
  DeleteRangeResult result;
  const Interval interval(request.range);
  const auto remove = [&](KeyHistory* history) {
    if (request.prev_kv) result.prevs.push_back(KvRef::share(history->newest()));
    bury(history);
    ++result.deleted;
  };
  if (interval.single) {
    KeyHistory* history = state_.index.find(interval.begin);
    if (history != nullptr && history->live()) remove(history);
  } else {
    // A tombstone goes onto a history that is there: the cursor stays valid.
    for (auto at = state_.index.walk(interval); at.valid(); at.next()) {
      if (at->live()) remove(&*at);
    }
  }
  result.header_revision = current();
  return result;
}

void Mutation::finish() {
  state_.staged_revision = current();
  if (planted(Planted::no_op_bumps_revision)) state_.staged_revision = begin_ + 1;
}

void Mutation::abort() {
  for (size_t i = staged_before_; i < state_.staged.size(); ++i) {
    state_.live_staged -= live_delta(*state_.staged[i]);
  }
  unstage(&state_, staged_before_);
  stage_.records->resize(records_before_);
  changes_ = 0;
}

void unstage(State* state, size_t keep) {
  while (state->staged.size() > keep) {
    state->pop_newest(*state->staged.back());
    state->staged.pop_back();
  }
}

}  // namespace lattice::keyspace
