// etcd's HashKV as a walk over versions in revision order: CRC-32C over the bucket name "key", then the
// stored key and value of each version that counts (etcd-v3.md 1.9).
// Thread: a value.
#pragma once

#include "keyspace/kv_record.h"

namespace lattice::keyspace {

class HashWalk {
 public:
  HashWalk() : HashWalk(Revision(-1), Revision(0)) {}
  HashWalk(Revision compact, Revision revision);

  // Requires: called in (revision, sub) order. Versions that do not count change nothing.
  void add(const KvRecord& version);
  uint32_t hash() const;

 private:
  Revision compact_;
  Revision revision_;
  uint32_t crc_;
  // etcd stops telling kept versions from dropped ones when it keeps none: then whatever is stored
  // counts, which is the tombstones at the compact revision.
  uint32_t crc_with_tombstones_;
  bool keeps_any_ = false;
};

}  // namespace lattice::keyspace
