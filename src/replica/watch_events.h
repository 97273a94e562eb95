// Builds the event lists that watches are given, each list once for all watches with the same
// needs. Thread: one; the owner's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "keyspace/keyspace.h"
#include "replica/watch.h"

namespace lattice::replica {

// A list with its encoded_size(), which is asked for once per watch.
struct SharedEvents {
  WatchEvents events;
  size_t bytes = 0;
};

// Whether the filters of a watch let this version through.
inline bool passes(const WatchCreate& spec, const keyspace::KvRecord& version) {
  return version.tombstone() ? !spec.no_delete : !spec.no_put;
}

// Lists over one run of versions. Two watches that match the same of them, with the same wish for
// prev_kv, get the same list.
class EventLists {
 public:
  // `versions` must outlive this.
  EventLists(const keyspace::Keyspace& keyspace, std::span<const keyspace::KvRef> versions)
      : keyspace_(keyspace), versions_(versions) {}

  // Requires: `picked` are ascending indexes into the versions, at least one.
  const SharedEvents& get(const std::vector<uint32_t>& picked, bool prev_kv);
  // The same for a run of one version.
  const SharedEvents& get_only(bool prev_kv);

 private:
  SharedEvents build(std::span<const uint32_t> picked, bool prev_kv) const;

  const keyspace::Keyspace& keyspace_;
  std::span<const keyspace::KvRef> versions_;
  SharedEvents only_[2];
  absl::flat_hash_map<std::vector<uint32_t>, SharedEvents> lists_[2];
};

}  // namespace lattice::replica
