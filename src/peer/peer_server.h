// Answers the calls of other nodes: one gRPC stream from each for each database that both have,
// authenticated both ways, many calls on it. One port serves all databases of a process: a stream
// begins with the id of the cluster that it is for, and reaches the logs of that one alone.
//
// Thread: the loop's.
// Ownership: outlives the listener whose router it is registered with. Of a service nothing is
//   called once it is detached; answers to a stream that is gone are dropped.
// Limits: what a peer can make us hold before it has proved who it is: a kilobyte and a stream, for
//   a few seconds.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "peer/surroundings.h"
#include "proxy/listener.h"
#include "proxy/router.h"
#include "replica/peers.h"

namespace lattice::peer {

class PeerServer {
 public:
  // One database: which nodes are its own, and its logs here.
  class Realm {
   public:
    explicit Realm(Keyring keyring) : keyring_(std::move(keyring)) {}

    // Calls that name this log go to `service`; those for others are answered with not_leader.
    void attach(const replica::LogId& log, replica::PeerService& service) {
      services_[log] = &service;
    }
    void detach(const replica::LogId& log) { services_.erase(log); }
    // That have come in, ever.
    uint64_t calls() const { return calls_; }

   private:
    friend class PeerServer;

    const Keyring keyring_;
    uint64_t calls_ = 0;
    absl::flat_hash_map<replica::LogId, replica::PeerService*> services_;
  };

  explicit PeerServer(PortSurroundings& around) : around_(around), trouble_(around) {}

  void register_with(proxy::Router& router);
  // For the listener of the node's port.
  proxy::Limits listener_limits() const;
  bool has(const std::string& cluster) const { return realms_.contains(cluster); }
  // From now on nodes of this cluster are let in. Valid for as long as this. Requires: !has().
  Realm& admit(const std::string& cluster, Keyring keyring) {
    return *realms_.emplace(cluster, std::make_unique<Realm>(std::move(keyring))).first->second;
  }

 private:
  class Connection;

  PortSurroundings& around_;
  TroubleLog trouble_;
  std::map<std::string, std::unique_ptr<Realm>, std::less<>> realms_;  // by cluster
};

}  // namespace lattice::peer
