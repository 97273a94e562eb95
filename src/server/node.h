// This process among those that share its database: the port at which the others reach it, and its
// calls to them.
//
// Thread: the loop that it was opened on.
// Ownership: outlives the replicas that use its peers(). Replicas are detached before they die.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "loop/loop.h"
#include "peer/surroundings.h"
#include "proxy/router.h"
#include "replica/environment.h"
#include "replica/peers.h"
#include "server/tls_sources.h"
#include "telemetry/logger.h"

namespace lattice::server {

class Node {
 public:
  struct Parts {
    loop::Loop& loop;
    replica::Environment& environment;
    telemetry::Logger& log;
    uint64_t cluster_id = 0;
    std::vector<std::string> secrets;  // at least one; the one that signs first
    const TlsSources& tls;
  };
  // Binds config.cluster.bind. Errors: io.
  static Result<std::unique_ptr<Node>> open(const config::Config& config, Parts parts);
  ~Node();

  // "host:port" at which the others reach this process.
  const std::string& address() const;
  std::unique_ptr<replica::Peers> peers(const replica::LogId& log);
  void attach(const replica::LogId& log, replica::PeerService& service);
  void detach(const replica::LogId& log);
  // The services' methods also answer what other nodes pass on (peer/forward_server.h).
  void serve_forwarded(const proxy::Router& services);
  // For calls to other nodes from another loop; refers to this.
  std::unique_ptr<peer::Surroundings> surroundings(loop::Loop& loop,
                                                   replica::Environment& environment) const;
  // Other nodes begin to pass nothing more on.
  void leave();
  // The port is closed, and the calls that came in by it have ended.
  void close();
  // Calls `done` once no other node has called for a while, after a second at the latest. Whoever
  // has not heard yet that this one leads no more is told so, and asks elsewhere; a call that finds
  // the process gone has an unknown outcome.
  void when_quiet(loop::Task done);

 private:
  struct Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The host's name, or "localhost".
std::string host_name();

}  // namespace lattice::server
