// What a process tells the others of itself, in its session's row. Thread: plain data.
#pragma once

#include <string>
#include <vector>

namespace lattice::replica {

struct NodeInfo {
  std::string name;
  // "host:port" at which other nodes reach this one (replica/peers.h); empty: it takes no calls.
  std::string address;
  std::vector<std::string> client_urls;  // what its clients use

  bool operator==(const NodeInfo&) const = default;
};

}  // namespace lattice::replica
