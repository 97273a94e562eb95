#include "keyspace/leased_keys.h"

#include <algorithm>

namespace lattice::keyspace {

void LeasedKeys::move(std::string_view key, LeaseId from, LeaseId to) {
  if (from == to) return;
  const size_t cost = sizeof(std::string) + key.size();
  if (from != LeaseId(0)) {
    auto at = leases_.find(from);
    at->second.erase(key);
    bytes_ -= cost;
    if (at->second.empty()) leases_.erase(at);
  }
  if (to != LeaseId(0)) {
    leases_[to].emplace(key);
    bytes_ += cost;
  }
}

std::vector<std::string> LeasedKeys::keys(LeaseId lease) const {
  std::vector<std::string> keys;
  auto at = leases_.find(lease);
  if (at == leases_.end()) return keys;
  keys.assign(at->second.begin(), at->second.end());
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace lattice::keyspace
