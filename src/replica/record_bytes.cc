#include "replica/record_bytes.h"

#include <cstring>

#include "auth/store.h"

namespace lattice::replica {
namespace {

using keyspace::Record;
using keyspace::RecordKind;

template <class T>
char* put_big_endian(char* out, T value) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
    *out++ = static_cast<char>(static_cast<uint64_t>(value) >> shift);
  }
  return out;
}

template <class T>
T take_big_endian(const char** in) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value = value << 8 | static_cast<uint8_t>((*in)[i]);
  *in += sizeof(T);
  return static_cast<T>(value);
}

Status corrupt(const char* what) {
  return Status(Error::backend_corrupt, std::string("stored record: ") + what);
}

}  // namespace

void write_record_head(const Record& record, char* head) {
  head = put_big_endian(head, static_cast<uint8_t>(record.kind));
  head = put_big_endian(head, record.revision.value);
  head = put_big_endian(head, record.sub);
  head = put_big_endian(head, record.create_revision.value);
  head = put_big_endian(head, record.version);
  head = put_big_endian(head, record.lease.value);
  head = put_big_endian(head, record.number);
  head = put_big_endian(head, static_cast<uint32_t>(record.key.size()));
  put_big_endian(head, static_cast<uint32_t>(record.value.size()));
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
  const char* in = bytes->data();
  Record record;
  record.kind = static_cast<RecordKind>(take_big_endian<uint8_t>(&in));
  record.revision = Revision(take_big_endian<int64_t>(&in));
  record.sub = take_big_endian<int32_t>(&in);
  record.create_revision = Revision(take_big_endian<int64_t>(&in));
  record.version = take_big_endian<int64_t>(&in);
  record.lease = LeaseId(take_big_endian<int64_t>(&in));
  record.number = take_big_endian<int64_t>(&in);
  const size_t key_size = take_big_endian<uint32_t>(&in);
  const size_t value_size = take_big_endian<uint32_t>(&in);
  bytes->remove_prefix(record_head_bytes);
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
      return auth::validate_record(record);
    case RecordKind::history_lost:
      if (record.number < 0) return corrupt("history lost below revision 0");
      return {};
  }
  return corrupt("unknown kind; a newer Lattice may have written it");
}

}  // namespace lattice::replica
