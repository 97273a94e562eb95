// Which keys hang on which lease.
// Thread: the keyspace's.
// Ownership: copies of the keys, so that versions can come and go; a key that is put again under
//   the same lease costs nothing here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/ids.h"
#include "base/string_hash.h"

namespace lattice::keyspace {

class LeasedKeys {
 public:
  // Moves a key between leases; LeaseId 0 stands for none.
  void move(std::string_view key, LeaseId from, LeaseId to);
  // In key order.
  std::vector<std::string> keys(LeaseId lease) const;
  size_t memory_bytes() const { return bytes_; }

 private:
  using Keys = absl::flat_hash_set<std::string, StringHash, StringEqual>;
  absl::flat_hash_map<LeaseId, Keys> leases_;
  size_t bytes_ = 0;
};

}  // namespace lattice::keyspace
