// Taking versions from the log: a start, or a batch of another writer.
#include "keyspace/impl.h"

namespace lattice::keyspace {
namespace {

// Whether the record can be the next change of its key. The older versions of a key may have been
// compacted away, oldest first, so a key without any may begin with whatever the record says.
bool follows(const KeyHistory* history, const Record& record) {
  const bool put = record.kind == RecordKind::put;
  if (put && (record.version < 1 || record.create_revision > record.revision)) return false;
  if (history == nullptr) return true;
  if (!history->live()) {
    return put && record.version == 1 && record.create_revision == record.revision;
  }
  if (!put) return true;
  const KvRecord& previous = *history->newest();
  return record.version == previous.version() + 1 &&
         record.create_revision == previous.create_revision();
}

}  // namespace

Status Keyspace::apply(const Record& record, RecordId id) {
  State& state = impl_->state;
  if (record.kind != RecordKind::put && record.kind != RecordKind::tombstone) {
    return {Error::backend_corrupt, "neither a put nor a tombstone"};
  }
  if (record.key.empty()) return {Error::backend_corrupt, "a version without a key"};
  if (record.revision < state.visible || !state.staged.empty() ||
      !state.history.can_append(record.revision, record.sub)) {
    return {Error::backend_corrupt, "revision out of order"};
  }
  KeyHistory* history = state.index.find(record.key.view());
  if (!follows(history, record)) {
    return {Error::backend_corrupt, "a version that does not follow the one before it"};
  }
  KvRecord::Fields fields;
  fields.key = record.key.view();
  fields.value = record.value.view();
  fields.create_revision = record.create_revision;
  fields.mod_revision = record.revision;
  fields.sub = record.sub;
  fields.version = record.version;
  fields.lease = record.lease;
  fields.id = id;
  fields.tombstone = record.kind == RecordKind::tombstone;
  KvRef version = KvRecord::make(fields);
  const bool lived = history != nullptr && history->live();
  state.live_visible += (fields.tombstone ? 0 : 1) - (lived ? 1 : 0);
  state.history.append(version);
  state.push(history, std::move(version));
  advance_to(record.revision);
  return {};
}

void Keyspace::advance_to(Revision revision) {
  State& state = impl_->state;
  if (revision <= state.visible) return;
  state.visible = revision;
  state.staged_revision = revision;
}

}  // namespace lattice::keyspace
