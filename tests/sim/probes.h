// Counts how often rare things happened, by name. A simulation whose rare branches are never taken
// proves nothing about them, so the seeds together must hit each one that is expected.
// Thread: one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace lattice::sim {

class Probes {
 public:
  void hit(std::string_view name) {
    const auto at = counts_.find(name);
    if (at != counts_.end()) {
      ++at->second;
    } else {
      counts_.emplace(name, 1);
    }
  }
  void add(const Probes& other) {
    for (const auto& [name, count] : other.counts_) counts_[name] += count;
  }
  uint64_t count(std::string_view name) const {
    const auto at = counts_.find(name);
    return at == counts_.end() ? 0 : at->second;
  }
  const std::map<std::string, uint64_t, std::less<>>& counts() const { return counts_; }

 private:
  std::map<std::string, uint64_t, std::less<>> counts_;
};

}  // namespace lattice::sim
