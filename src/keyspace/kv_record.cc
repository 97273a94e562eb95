#include "keyspace/kv_record.h"

#include <bit>
#include <new>

namespace lattice::keyspace {
namespace {

// Tags of mvccpb.KeyValue (etcd-v3.md 1.10), and of field 2 with a length in whatever carries it.
constexpr char key_tag = 0x0A;
constexpr char create_tag = 0x10;
constexpr char mod_tag = 0x18;
constexpr char version_tag = 0x20;
constexpr char value_tag = 0x2A;
constexpr char lease_tag = 0x30;
constexpr char field_2_tag = 0x12;

size_t varint_size(uint64_t number) { return (std::bit_width(number | 1) + 6) / 7; }

char* write_varint(char* out, uint64_t number) {
  while (number >= 0x80) {
    *out++ = static_cast<char>(number | 0x80);
    number >>= 7;
  }
  *out++ = static_cast<char>(number);
  return out;
}

// Zero is left out, as proto3 does.
size_t number_size(int64_t number) {
  return number == 0 ? 0 : 1 + varint_size(static_cast<uint64_t>(number));
}
char* write_number(char* out, char tag, int64_t number) {
  if (number == 0) return out;
  *out++ = tag;
  return write_varint(out, static_cast<uint64_t>(number));
}

size_t text_size(std::string_view text) {
  return text.empty() ? 0 : 1 + varint_size(text.size()) + text.size();
}
char* write_text(char* out, char tag, std::string_view text) {
  if (text.empty()) return out;
  *out++ = tag;
  out = write_varint(out, text.size());
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

}  // namespace

KvRef KvRecord::make(const Fields& fields) {
  static_assert(sizeof(KvRecord) == 80);
  static_assert(std::is_trivially_destructible_v<KvRecord>);
  const int64_t create = fields.tombstone ? 0 : fields.create_revision.value;
  const int64_t version = fields.tombstone ? 0 : fields.version;
  const int64_t lease = fields.tombstone ? 0 : fields.lease.value;
  const std::string_view value = fields.tombstone ? std::string_view() : fields.value;

  const size_t body = text_size(fields.key) + number_size(create) +
                      number_size(fields.mod_revision.value) + number_size(version) +
                      text_size(value) + number_size(lease);
  const size_t head = 1 + varint_size(body);

  void* memory = ::operator new(sizeof(KvRecord) + head + body);
  auto* record = new (memory) KvRecord;
  record->mod_revision_ = fields.mod_revision;
  record->create_revision_ = Revision(create);
  record->version_ = version;
  record->lease_ = LeaseId(lease);
  record->seq_ = fields.id.seq.value;
  record->index_ = fields.id.index;
  record->sub_ = fields.sub;
  record->encoded_size_ = static_cast<uint32_t>(body);
  record->key_size_ = static_cast<uint32_t>(fields.key.size());
  record->value_size_ = static_cast<uint32_t>(value.size());
  record->body_offset_ = static_cast<uint8_t>(head);
  record->key_offset_ = static_cast<uint8_t>(head + 1 + varint_size(fields.key.size()));
  record->tail_size_ = static_cast<uint8_t>(number_size(lease));
  record->tombstone_ = fields.tombstone;

  char* out = reinterpret_cast<char*>(record + 1);
  *out++ = field_2_tag;
  out = write_varint(out, body);
  out = write_text(out, key_tag, fields.key);
  out = write_number(out, create_tag, create);
  out = write_number(out, mod_tag, fields.mod_revision.value);
  out = write_number(out, version_tag, version);
  out = write_text(out, value_tag, value);
  write_number(out, lease_tag, lease);
  return KvRef::adopt(record);
}

std::string_view KvRecord::value() const {
  const char* end = payload() + body_offset_ + encoded_size_ - tail_size_;
  return {end - value_size_, value_size_};
}

Bytes KvRecord::encoded() const {
  return Bytes::within(this, payload() + body_offset_, encoded_size_);
}

Bytes KvRecord::encoded_as_field_2() const {
  return Bytes::within(this, payload(), body_offset_ + encoded_size_);
}

Bytes KvRecord::encode_keys_only() const {
  const size_t size = text_size(key()) + number_size(create_revision_.value) +
                      number_size(mod_revision_.value) + number_size(version_);
  char* out = nullptr;
  Bytes bytes = Bytes::allocate(size, &out);
  out = write_text(out, key_tag, key());
  out = write_number(out, create_tag, create_revision_.value);
  out = write_number(out, mod_tag, mod_revision_.value);
  write_number(out, version_tag, version_);
  return bytes;
}

size_t KvRecord::footprint() const { return sizeof(KvRecord) + body_offset_ + encoded_size_; }

}  // namespace lattice::keyspace
