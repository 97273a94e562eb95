// What the builders read settings with.
// Thread: any. Ownership: the settings outlive it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "config/load.h"

namespace lattice::config {

// Typed access to the settings; the registry guarantees the types (tests read every key).
class Reader {
 public:
  explicit Reader(const Settings& settings) : settings_(settings) {}

  bool flag(std::string_view key) const { return std::get<bool>(value(key)); }
  int64_t integer(std::string_view key) const { return std::get<int64_t>(value(key)); }
  std::string text(std::string_view key) const { return std::get<std::string>(value(key)); }
  std::vector<std::string> texts(std::string_view key) const {
    return std::get<std::vector<std::string>>(value(key));
  }
  Duration milliseconds(std::string_view key) const {
    return std::chrono::milliseconds(integer(key));
  }

 private:
  const Value& value(std::string_view key) const { return settings_.find(key)->second.value; }
  const Settings& settings_;
};

}  // namespace lattice::config
