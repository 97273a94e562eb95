#include "replica/minor_records.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "auth/store.h"

namespace lattice::replica {

using keyspace::RecordId;
using keyspace::RecordKind;

namespace {

bool is_named(RecordKind kind) { return auth::is_auth(kind) && kind != RecordKind::auth_state; }

bool is_deletion(RecordKind kind) {
  return kind == RecordKind::auth_user_deleted || kind == RecordKind::auth_role_deleted ||
         kind == RecordKind::auth_token_revoked;
}

// What a record makes, for one that ends it, too: names of different things may be the same.
RecordKind thing_of(RecordKind kind) {
  switch (kind) {
    case RecordKind::auth_user_deleted:
      return RecordKind::auth_user;
    case RecordKind::auth_role_deleted:
      return RecordKind::auth_role;
    case RecordKind::auth_token_revoked:
      return RecordKind::auth_token;
    default:
      return kind;
  }
}

}  // namespace

void MinorRecords::note(RecordId id, const keyspace::Record& record) {
  if (record.kind == RecordKind::put || record.kind == RecordKind::tombstone) return;
  int64_t number = record.number;
  if (is_named(record.kind)) {
    const auto [at, fresh] = names_.try_emplace(std::string(record.key.view()), next_name_);
    if (fresh) ++next_name_;
    number = at->second;
  }
  notes_.push_back({id, record.kind, record.lease, number});
}

std::vector<bool> MinorRecords::mark_superseded(Seq below) const {
  std::vector<bool> marks(notes_.size(), false);
  // Newest first: what has been met decides what an older record is still good for. A record is
  // only superseded by one that is itself behind `below`: those are certainly durable.
  absl::flat_hash_set<LeaseId> revoked;
  absl::flat_hash_set<LeaseId> checkpointed;
  absl::flat_hash_set<std::pair<int64_t, int64_t>> alarms;  // type, member
  absl::flat_hash_set<std::pair<int, int64_t>> named;       // kind of thing, name
  absl::flat_hash_set<int> single;  // kinds of which only the newest matters
  for (size_t i = notes_.size(); i-- > 0;) {
    const Note& note = notes_[i];
    if (note.id.seq >= below) continue;
    switch (note.kind) {
      case RecordKind::lease_revoke:
        revoked.insert(note.lease);
        marks[i] = true;
        break;
      case RecordKind::lease_grant:
        // An id that a client chose may be granted again: this grant ends the reach of the revoke.
        marks[i] = revoked.erase(note.lease) > 0;
        checkpointed.erase(note.lease);
        break;
      case RecordKind::lease_checkpoint:
        marks[i] = revoked.contains(note.lease) || !checkpointed.insert(note.lease).second;
        break;
      case RecordKind::alarm_on:
      case RecordKind::alarm_off: {
        const bool newest = alarms.insert({note.number, note.lease.value}).second;
        marks[i] = !newest || note.kind == RecordKind::alarm_off;
        break;
      }
      case RecordKind::auth_user:
      case RecordKind::auth_user_deleted:
      case RecordKind::auth_role:
      case RecordKind::auth_role_deleted:
      case RecordKind::auth_token:
      case RecordKind::auth_token_revoked: {
        const int thing = static_cast<int>(thing_of(note.kind));
        const bool newest = named.insert({thing, note.number}).second;
        marks[i] = !newest || is_deletion(note.kind);
        break;
      }
      default:
        marks[i] = !single.insert(static_cast<int>(note.kind)).second;
        break;
    }
  }
  return marks;
}

std::vector<RecordId> MinorRecords::superseded(Seq below) const {
  const std::vector<bool> marks = mark_superseded(below);
  std::vector<RecordId> ids;
  std::vector<RecordId> enders;  // what ends something goes after what it ended
  for (size_t i = 0; i < notes_.size(); ++i) {
    if (!marks[i]) continue;
    const RecordKind kind = notes_[i].kind;
    const bool ends =
        kind == RecordKind::lease_revoke || kind == RecordKind::alarm_off || is_deletion(kind);
    (ends ? enders : ids).push_back(notes_[i].id);
  }
  ids.insert(ids.end(), enders.begin(), enders.end());
  return ids;
}

void MinorRecords::drop_superseded(Seq below) {
  const std::vector<bool> marks = mark_superseded(below);
  size_t kept = 0;
  for (size_t i = 0; i < notes_.size(); ++i) {
    if (!marks[i]) notes_[kept++] = notes_[i];
  }
  notes_.resize(kept);
  absl::flat_hash_set<int64_t> used;
  for (const Note& note : notes_) {
    if (is_named(note.kind)) used.insert(note.number);
  }
  absl::erase_if(names_, [&](const auto& entry) { return !used.contains(entry.second); });
}

}  // namespace lattice::replica
