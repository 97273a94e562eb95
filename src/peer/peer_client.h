// Calls to other nodes (replica/peers.h), over one connection for each node, whatever the number of
// logs.
//
// Thread: the loop's.
// Ownership: outlives the Peers that it gave. It may be destroyed inside a callback of theirs.
#pragma once

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "peer/surroundings.h"
#include "replica/peers.h"

namespace lattice::proxy {
struct ClientContext;
}

namespace lattice::peer {

class Channel;

class PeerClient {
 public:
  explicit PeerClient(Surroundings& around);
  ~PeerClient();

  // For the replica of one log.
  std::unique_ptr<replica::Peers> peers(const replica::LogId& log);
  size_t nodes() const { return channels_.size(); }

 private:
  class LogPeers;

  Channel& channel(const std::string& address);
  void sweep();

  Surroundings& around_;
  std::shared_ptr<proxy::ClientContext> context_;
  TroubleLog trouble_;
  absl::flat_hash_map<std::string, std::unique_ptr<Channel>> channels_;
};

}  // namespace lattice::peer
