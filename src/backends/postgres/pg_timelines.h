// Which timeline of each PostgreSQL cluster this process has seen last. A promoted standby starts a
// new one, so a server on a lower one was left behind: what it still acknowledges is lost
// (log-protocol H3). Whoever has seen the newer server never goes back.
//
// Thread: any; shared by all connections of a process.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace lattice::backends {

class PgTimelines {
 public:
  // The greatest that was seen of one cluster; goes on growing.
  using Newest = std::shared_ptr<const std::atomic<int64_t>>;

  // `cluster` names it: its system identifier, or its address where that may not be asked for.
  Newest see(const std::string& cluster, int64_t timeline) {
    const std::lock_guard lock(mutex_);
    auto& newest = newest_[cluster];
    if (newest == nullptr) newest = std::make_shared<std::atomic<int64_t>>(timeline);
    if (newest->load() < timeline) newest->store(timeline);
    return newest;
  }

 private:
  std::mutex mutex_;
  // Under mutex_; the numbers are read without it.
  std::map<std::string, std::shared_ptr<std::atomic<int64_t>>> newest_;
};

}  // namespace lattice::backends
