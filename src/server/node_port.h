// The port at which other nodes reach this process, one for all of its databases: whoever connects
// says which of them it calls for, by its cluster id, and proves that it knows that one's secret.
// It is opened when the first database needs it.
//
// Two databases with one id (the one is a copy of the other) share no port: a call for the one must
// not be taken for the other's. So the second has another one, any that is free.
//
// Thread: the loop's. Ownership: outlives the Nodes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "peer/peer_server.h"
#include "proxy/listener.h"
#include "replica/environment.h"
#include "server/tls_sources.h"
#include "telemetry/logger.h"

namespace lattice::server {

class NodePort {
 public:
  struct Parts {
    loop::Loop& loop;
    replica::Environment& environment;
    telemetry::Logger& log;
    const TlsSources& tls;
  };
  NodePort(const config::Config& config, const Parts& parts);
  ~NodePort();

  // Where one database's nodes are let in. Valid for as long as this.
  struct Place {
    std::string address;  // "host:port" at which the others reach this process
    proxy::Router& router;
    peer::PeerServer::Realm& realm;
  };
  // Errors: io, config.cluster.bind cannot be had.
  Result<Place> join(const std::string& cluster, const Keyring& keyring);
  // What calls from and to here are made with, on that loop.
  peer::PortSurroundings surroundings(loop::Loop& loop, replica::Environment& environment) const;
  // The port is closed, and the calls that came in by it have ended.
  void close();

 private:
  struct Door;

  Result<Door*> open_door();

  const config::Config& config_;
  const Parts parts_;
  std::vector<std::unique_ptr<Door>> doors_;  // the first at config.cluster.bind
};

// The host's name, or "localhost".
std::string host_name();

}  // namespace lattice::server
