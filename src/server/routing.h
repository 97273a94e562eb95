// Routing in this process: what the control plane's documents say of who serves and who leads,
// brought to every loop; requests of other nodes let in; and leadership brought to where it should
// be.
//
// Thread: the owner's loop, which is the first worker's.
// Ownership: what it is given outlives it.
#pragma once

#include <memory>
#include <string>

#include "control/cache.h"
#include "server/control_plane.h"
#include "server/leader_keeper.h"
#include "server/node_links.h"
#include "server/routes.h"
#include "server/running_tenant.h"

namespace lattice::server {

class Routing {
 public:
  struct Parts {
    std::string node;  // the name of this node's record
    NodeLinks& links;
    Workers& workers;
    ControlPlane& control_plane;
    Databases& tenants;
    telemetry::Logger& log;
  };
  explicit Routing(Parts parts);

  void set_documents(const control::Documents& documents);
  // The process ends: others are told, as far as that can still be done.
  void leave();

 private:
  Forwarding::Governor governor_of(Worker& worker);
  Worker& owner() { return *parts_.workers.front(); }

  const Parts parts_;
  std::shared_ptr<const Routes> routes_ = std::make_shared<Routes>();
  LeaderKeeper leaders_;
};

}  // namespace lattice::server
