// etcd's HashKV as a walk over versions in revision order: CRC-32C over the bucket name "key", then
// the stored key and value of each version that counts (etcd-v3.md 1.9). Versions above the compact
// revision count, and older ones that a read at the hashed revision finds. The values are etcd's
// own.
// Thread: a value.
#pragma once

#include "keyspace/kv_record.h"

namespace lattice::keyspace {

class HashWalk {
 public:
  enum class Kind : uint8_t {
    // What HashKV answers. When no key is alive at the revision, etcd stops leaving out what is
    // newer than nothing: all that was alive at the compact revision then counts.
    request,
    // What a compaction computes: without that quirk.
    compaction,
  };
  HashWalk(Revision compact, Revision revision, Kind kind);

  // Requires: called in (revision, sub) order. Versions that do not count change nothing.
  void add(const KvRecord& version);
  uint32_t hash() const { return any_alive_ ? crc_ : crc_if_none_alive_; }

 private:
  Revision compact_;
  Revision revision_;
  bool any_alive_;
  uint32_t crc_;
  uint32_t crc_if_none_alive_;
};

}  // namespace lattice::keyspace
