// How many there are of each name, counted by several threads. Thread: any. For what is rare: each
// call takes a lock.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "base/string_hash.h"

namespace lattice {

class SharedCounts {
 public:
  // One more; false: there are `max`. Requires: max > 0.
  bool add(std::string_view name, int64_t max) {
    const std::lock_guard lock(mutex_);
    int64_t& count = counts_[name];
    if (count >= max) return false;
    ++count;
    return true;
  }
  // Requires: an add() that was not taken back.
  void remove(std::string_view name) {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(name);
    if (--found->second == 0) counts_.erase(found);
  }

 private:
  std::mutex mutex_;
  absl::flat_hash_map<std::string, int64_t, StringHash, std::equal_to<>> counts_;
};

}  // namespace lattice
