// Serves the requests that other nodes pass on for their clients: the services' methods on the
// node's port, each request as if its client were connected here. What comes this way is always
// served here, never passed on again.
//
// Thread: the loop's.
// Ownership: outlives the listener whose router it is registered with; the services' router
//   outlives it.
// Limits: requests that no node of this cluster has passed on end when their headers are read.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "peer/forwarded_head.h"
#include "peer/surroundings.h"
#include "proxy/router.h"

namespace lattice::peer {

class ForwardServer {
 public:
  // Lets in the nodes of the cluster of `around`.
  explicit ForwardServer(Surroundings& around) : around_(around), trouble_(around) {}

  void register_with(proxy::Router& port, const proxy::Router& services);
  // Other nodes begin no further requests here; those that are on their way are served.
  void leave();

 private:
  class Session;
  class Request;
  struct Known {
    FrameKey key;
    uint64_t newest = 0;  // of its requests' numbers
  };

  std::unique_ptr<proxy::Call> start(proxy::ServerStream& stream,
                                     const proxy::CallFactory& service);
  std::optional<ForwardedHead> believe(const proxy::ServerStream& stream);

  Surroundings& around_;
  TroubleLog trouble_;
  uint64_t last_id_ = 0;
  absl::flat_hash_map<uint64_t, Known> known_;
  absl::flat_hash_map<uint64_t, Session*> sessions_;  // those that are open
  bool leaving_ = false;
};

}  // namespace lattice::peer
