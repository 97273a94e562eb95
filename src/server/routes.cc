#include "server/routes.h"

#include <algorithm>

namespace lattice::server {

Routes routes_of(const control::Documents& documents, std::string_view self) {
  Routes routes;
  for (const auto& [tenant, manifest] : documents.tenants) {
    if (manifest.routing_epoch > 0) routes[tenant].epoch = manifest.routing_epoch;
  }
  for (const auto& [tenant, routing] : documents.routing) {
    Route& route = routes[tenant];
    route.elsewhere = std::ranges::find(routing.nodes, self) == routing.nodes.end();
    route.leads_here = routing.leader == self;
    for (const std::string& name : routing.nodes) {
      const auto node = documents.nodes.find(name);
      if (name == self || node == documents.nodes.end() || node->second.address.empty()) continue;
      const bool first = name == routing.leader;
      if (first) route.leader = node->second.address;
      route.addresses.insert(first ? route.addresses.begin() : route.addresses.end(),
                             node->second.address);
      route.names.insert(first ? route.names.begin() : route.names.end(), name);
    }
  }
  return routes;
}

}  // namespace lattice::server
