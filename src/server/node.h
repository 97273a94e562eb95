// This process among those that share one of its databases: how they reach its logs at the node
// port, and its calls to them.
//
// Thread: the loop that it was opened on.
// Ownership: outlives the replicas that use its peers(). Replicas are detached before they die, and
//   the port is closed before this does. The port outlives it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "peer/surroundings.h"
#include "proxy/router.h"
#include "replica/peers.h"
#include "server/node_port.h"

namespace lattice::server {

class Node {
 public:
  struct Parts {
    loop::Loop& loop;
    replica::Environment& environment;
    uint64_t cluster_id = 0;
    std::vector<std::string> secrets;  // at least one; the one that signs first
  };
  // Errors: io, the port cannot be had.
  static Result<std::unique_ptr<Node>> open(NodePort& port, const Parts& parts);
  ~Node();

  // "host:port" at which the others reach this process.
  const std::string& address() const;
  std::unique_ptr<replica::Peers> peers(const replica::LogId& log);
  void attach(const replica::LogId& log, replica::PeerService& service);
  void detach(const replica::LogId& log);
  // The services' methods also answer what other nodes of this database pass on
  // (peer/forward_server.h).
  void serve_forwarded(const proxy::Router& services);
  // For calls to other nodes from another loop; refers to this.
  std::unique_ptr<peer::Surroundings> surroundings(loop::Loop& loop,
                                                   replica::Environment& environment) const;
  // Other nodes begin to pass nothing more on.
  void leave();
  // Calls `done` once no other node has called for a while, after a second at the latest. Whoever
  // has not heard yet that this one leads no more is told so, and asks elsewhere; a call that finds
  // the process gone has an unknown outcome.
  void when_quiet(loop::Task done);

 private:
  struct Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lattice::server
