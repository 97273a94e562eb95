#include "server_memory.h"

#include <fstream>
#include <string>

namespace lattice::crowd {

void ServerMemory::reset_peak() const {
  std::ofstream("/proc/" + std::to_string(pid_) + "/clear_refs") << "5";
}

int64_t ServerMemory::field(const char* name) const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name)) return std::stoll(line.substr(std::string(name).size())) * 1024;
  }
  return 0;
}

}  // namespace lattice::crowd
