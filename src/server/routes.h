// Which nodes serve which tenants, as the control plane's routing documents have it, seen from one
// node.
// Thread: pure functions, plain data; shared as const.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/cache.h"

namespace lattice::server {

struct Route {
  int64_t epoch = 0;       // 0: the tenant has none
  bool elsewhere = false;  // nodes are named, and this one is not among them
  // Where those that are named and alive are reached, the one that should lead first; without this
  // one.
  std::vector<std::string> addresses;
  std::vector<std::string> names;  // theirs
  std::string leader;  // the address of the node that should lead, if it is alive and another one
  bool leads_here = false;  // this node should lead

  bool operator==(const Route&) const = default;
};
// Tenants with neither an epoch nor a routing document are not in it: every node serves them.
using Routes = std::map<std::string, Route, std::less<>>;

// `self`: the name of this node's record.
Routes routes_of(const control::Documents& documents, std::string_view self);

}  // namespace lattice::server
