// One version of one key, as a single counted allocation: the numbers that MVCC needs, followed by
// the version encoded as protobuf (mvccpb.KeyValue). The index, the history, watch events and
// responses all point at the same block; its bytes go onto the wire as they are.
//
// Thread: immutable once made, and may be shared between threads; superseded_at alone changes, and
//   only the keyspace that holds the version reads or writes it.
// Ownership: KvRef counts; Bytes handed out keep the block alive.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/ids.h"
#include "keyspace/record.h"

namespace lattice::keyspace {

class KvRecord;
using KvRef = Ref<const KvRecord>;

class KvRecord : public Block {
 public:
  struct Fields {
    std::string_view key;
    std::string_view value;
    Revision create_revision;
    Revision mod_revision;
    int32_t sub = 0;
    int64_t version = 0;
    LeaseId lease;
    RecordId id;
    bool tombstone = false;  // then only key and mod_revision are encoded, as etcd's delete events
  };
  static KvRef make(const Fields& fields);

  std::string_view key() const { return {payload() + key_offset_, key_size_}; }
  std::string_view value() const;
  Revision mod_revision() const { return mod_revision_; }
  Revision create_revision() const { return create_revision_; }
  int64_t version() const { return version_; }
  LeaseId lease() const { return lease_; }
  int32_t sub() const { return sub_; }
  bool tombstone() const { return tombstone_; }
  RecordId id() const { return {Seq(seq_), index_}; }
  // The revision of the next version of this key. The version is what a read at revision r finds
  // exactly when mod_revision() <= r < superseded_at(). For the owning keyspace only.
  static constexpr Revision not_superseded{INT64_MAX};
  Revision superseded_at() const { return superseded_at_; }
  bool current_at(Revision r) const { return mod_revision_ <= r && r < superseded_at_; }

  // The body of the mvccpb.KeyValue message.
  Bytes encoded() const;
  // The same as a length-delimited field with number 2 (tag 0x12): RangeResponse.kvs, Event.kv and
  // PutResponse.prev_kv all carry it under that number.
  Bytes encoded_as_field_2() const;
  // The same without a count: valid while the record is.
  std::string_view encoded_view() const { return {payload() + body_offset_, encoded_size_}; }
  std::string_view encoded_as_field_2_view() const {
    return {payload(), size_t{body_offset_} + encoded_size_};
  }
  // Key and numbers only, as etcd 3.7 answers keys_only: no value, no lease.
  Bytes encode_keys_only() const;
  // Bytes of memory that this version takes, for accounting.
  size_t footprint() const;

 private:
  friend struct State;
  KvRecord() = default;
  const char* payload() const { return reinterpret_cast<const char*>(this + 1); }

  // 80 bytes in all. What a search looks at stands last, next to the key that follows this object.
  uint32_t index_ = 0;
  uint64_t seq_ = 0;
  Revision create_revision_;
  int64_t version_ = 0;
  LeaseId lease_;
  mutable Revision superseded_at_ = not_superseded;
  Revision mod_revision_;
  int32_t sub_ = 0;
  uint32_t encoded_size_ = 0;  // of the message body
  uint32_t value_size_ = 0;
  uint32_t key_size_ = 0;
  uint8_t body_offset_ = 0;  // from the payload: tag and length of field 2 stand before the body
  uint8_t key_offset_ = 0;   // from the payload
  uint8_t tail_size_ = 0;    // of what follows the value: the lease
  bool tombstone_ = false;
};

}  // namespace lattice::keyspace
