// Answers the calls of other nodes: one gRPC stream from each, authenticated both ways, many calls
// on it.
//
// Thread: the loop's.
// Ownership: outlives the listener whose router it is registered with. Of a service nothing is
//   called once it is detached; answers to a stream that is gone are dropped.
// Limits: what a peer can make us hold before it has proved who it is: a kilobyte and a stream, for
//   a few seconds.
#pragma once

#include <string>

#include "absl/container/flat_hash_map.h"
#include "peer/surroundings.h"
#include "proxy/listener.h"
#include "proxy/router.h"
#include "replica/peers.h"

namespace lattice::peer {

class PeerServer {
 public:
  explicit PeerServer(Surroundings& around) : around_(around), trouble_(around) {}

  void register_with(proxy::Router& router);
  // For the listener of the node's port.
  proxy::Limits listener_limits() const;

  // Calls that name this log go to `service`; those for others are answered with not_leader.
  void attach(const replica::LogId& log, replica::PeerService& service) {
    services_[log] = &service;
  }
  void detach(const replica::LogId& log) { services_.erase(log); }
  // That have come in, ever.
  uint64_t calls() const { return calls_; }

 private:
  class Connection;

  Surroundings& around_;
  TroubleLog trouble_;
  uint64_t calls_ = 0;
  absl::flat_hash_map<replica::LogId, replica::PeerService*> services_;
};

}  // namespace lattice::peer
