#include "replica/state.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace lattice::replica {

using keyspace::Record;
using keyspace::RecordId;
using keyspace::RecordKind;

void State::note(RecordId id, const Record& record) {
  minor.note(id, record);
  switch (record.kind) {
    case RecordKind::takeover:
      epoch = Epoch(static_cast<uint64_t>(record.number));
      if (record.value.size() == leader.size()) {
        std::memcpy(leader.data(), record.value.data(), leader.size());
      }
      break;
    case RecordKind::history_lost:
      history_base = record.revision;
      break;
    case RecordKind::compact:
      compaction = {Revision(record.number), id.seq, false, 0};
      keyspace.set_compact_revision(compaction.revision, log_whole);
      log_whole = true;
      break;
    case RecordKind::compact_done:
      if (Revision(record.number) == compaction.revision) {
        compaction.done = true;
        compaction.hash = static_cast<uint32_t>(record.version);
      }
      break;
    case RecordKind::lease_checkpoint:
      leases.apply_checkpoint(record.lease, record.number);
      break;
    case RecordKind::alarm_on:
    case RecordKind::alarm_off: {
      const Alarm alarm{static_cast<uint64_t>(record.lease.value),
                        static_cast<int32_t>(record.number)};
      std::erase_if(alarms, [&](const Alarm& known) {
        return known.member_id == alarm.member_id && known.type == alarm.type;
      });
      if (record.kind == RecordKind::alarm_on) alarms.push_back(alarm);
      observer.on_alarm(record.kind == RecordKind::alarm_on, alarm.member_id, alarm.type);
      break;
    }
    default:
      break;
  }
}

Status State::replay_record(RecordId id, const Record& record) {
  switch (record.kind) {
    case RecordKind::put:
    case RecordKind::tombstone:
      return keyspace.apply(record, id);
    case RecordKind::lease_grant:
      leases.apply_grant(record.lease, record.number);
      break;
    case RecordKind::lease_revoke:
      leases.apply_revoke(record.lease);
      break;
    case RecordKind::auth_user:
    case RecordKind::auth_user_deleted:
    case RecordKind::auth_role:
    case RecordKind::auth_role_deleted:
    case RecordKind::auth_state:
    case RecordKind::auth_token:
    case RecordKind::auth_token_revoked:
      if (Status status = auth.apply(record); !status.ok()) return status;
      break;
    default:
      break;
  }
  // A record that changes no key carries the head revision at its place: after a compaction it may
  // be the only witness of a revision whose keys are all gone.
  keyspace.advance_to(record.revision);
  note(id, record);
  return {};
}

Status State::replay(const Log::LoadedBatch& batch) {
  size_t puts = 0;
  size_t deletes = 0;
  const bool whole = batch.header && batch.header->record_count == batch.records.size();
  log_whole = log_whole && whole;
  for (size_t i = 0; i < batch.records.size(); ++i) {
    const Record& record = batch.records[i];
    if (Status status = replay_record({batch.seq, batch.indexes[i]}, record); !status.ok()) {
      return status;
    }
    puts += record.kind == RecordKind::put;
    deletes += record.kind == RecordKind::tombstone;
  }
  if (batch.header) {
    keyspace.advance_to(batch.header->last_revision);
    applied = batch.header->position();
  }
  publish(puts, deletes);
  return {};
}

void State::commit(const Batch& batch) {
  keyspace.commit(batch.header.last_revision);
  bool only_keys = true;
  for (uint32_t i = 0; i < batch.records.size(); ++i) {
    const Record& record = batch.records[i];
    if (keyspace::changes_key(record.kind)) continue;
    only_keys = false;
    note({batch.header.seq, i}, record);
  }
  // What is staged there may be of a batch behind one that changes keys only.
  if (!only_keys) {
    leases.commit(environment.now());
    auth.commit();
  }
  applied = batch.header.position();
  publish(0, 0);
  report_operations();
}

void State::rollback() {
  keyspace.rollback();
  leases.rollback();
  auth.rollback();
}

void State::reset() {
  keyspace = keyspace::Keyspace();
  leases = lease::LeaseTable();
  auth = auth::Store();
  applied = {};
  epoch = {};
  leader = {};
  history_base = {};
  compaction = {};
  compact_read = {};
  log_whole = true;
  alarms.clear();
  minor = {};
}

void State::publish(size_t puts, size_t deletes) {
  published->revision.store(keyspace.visible_revision().value, std::memory_order_release);
  published->epoch.store(epoch.value, std::memory_order_release);
  observer.on_applied({keyspace.visible_revision(), puts, deletes, keyspace.key_count()});
}

}  // namespace lattice::replica
