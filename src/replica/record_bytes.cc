#include "replica/record_bytes.h"

#include "auth/store.h"
#include "base/big_endian.h"

namespace lattice::replica {
namespace {

using keyspace::Record;
using keyspace::RecordKind;

// Takes the number off the front. Requires: it is there.
template <class T>
T take_number(std::string_view* bytes) {
  const uint64_t value = read_big_endian(bytes->substr(0, sizeof(T)));
  bytes->remove_prefix(sizeof(T));
  return static_cast<T>(value);
}

Status corrupt(const char* what) {
  return Status(Error::backend_corrupt, std::string("stored record: ") + what);
}

}  // namespace

void write_record_head(const Record& record, char* head) {
  head = write_big_endian(static_cast<uint8_t>(record.kind), head);
  head = write_big_endian(record.revision.value, head);
  head = write_big_endian(record.sub, head);
  head = write_big_endian(record.create_revision.value, head);
  head = write_big_endian(record.version, head);
  head = write_big_endian(record.lease.value, head);
  head = write_big_endian(record.number, head);
  head = write_big_endian(static_cast<uint32_t>(record.key.size()), head);
  write_big_endian(static_cast<uint32_t>(record.value.size()), head);
}

void append_record_bytes(const Record& record, std::string* out) {
  char head[record_head_bytes];
  write_record_head(record, head);
  out->append(head, sizeof(head));
  out->append(record.key.view());
  out->append(record.value.view());
}

Result<Record> take_record_bytes(std::string_view* bytes) {
  if (bytes->size() < record_head_bytes) return corrupt("truncated head");
  Record record;
  record.kind = static_cast<RecordKind>(take_number<uint8_t>(bytes));
  record.revision = Revision(take_number<int64_t>(bytes));
  record.sub = take_number<int32_t>(bytes);
  record.create_revision = Revision(take_number<int64_t>(bytes));
  record.version = take_number<int64_t>(bytes);
  record.lease = LeaseId(take_number<int64_t>(bytes));
  record.number = take_number<int64_t>(bytes);
  const size_t key_size = take_number<uint32_t>(bytes);
  const size_t value_size = take_number<uint32_t>(bytes);
  if (bytes->size() < key_size || bytes->size() - key_size < value_size) {
    return corrupt("truncated key or value");
  }
  record.key = Bytes::copy(bytes->substr(0, key_size));
  record.value = Bytes::copy(bytes->substr(key_size, value_size));
  bytes->remove_prefix(key_size + value_size);
  if (Status status = validate_record(record); !status.ok()) return status;
  return record;
}

Status validate_record(const Record& record) {
  if (record.revision.value < 0) return corrupt("negative revision");
  if (record.sub < 0) return corrupt("negative sub-revision");
  switch (record.kind) {
    case RecordKind::put:
      if (record.key.empty()) return corrupt("put without a key");
      if (record.create_revision.value < 1 || record.create_revision > record.revision) {
        return corrupt("put with a create revision outside [1, revision]");
      }
      if (record.version < 1) return corrupt("put with a version below 1");
      return {};
    case RecordKind::tombstone:
      if (record.key.empty()) return corrupt("tombstone without a key");
      return {};
    case RecordKind::takeover:
      if (record.value.size() != 16) return corrupt("takeover without an incarnation of 16 bytes");
      if (record.number < 1) return corrupt("takeover with an epoch below 1");
      return {};
    case RecordKind::lease_grant:
    case RecordKind::lease_revoke:
    case RecordKind::lease_checkpoint:
    case RecordKind::compact:
    case RecordKind::compact_done:
    case RecordKind::alarm_on:
    case RecordKind::alarm_off:
      return {};
    case RecordKind::auth_user:
    case RecordKind::auth_user_deleted:
    case RecordKind::auth_role:
    case RecordKind::auth_role_deleted:
    case RecordKind::auth_state:
    case RecordKind::auth_token:
    case RecordKind::auth_token_revoked:
      return auth::validate_record(record);
    case RecordKind::history_lost:
      if (record.number < 0) return corrupt("history lost below revision 0");
      return {};
    case RecordKind::seal:
      if (record.value.empty()) return corrupt("seal without the name of a database");
      if (record.number < 0) return corrupt("seal with a negative routing epoch");
      return {};
  }
  return corrupt("unknown kind; a newer Lattice may have written it");
}

}  // namespace lattice::replica
