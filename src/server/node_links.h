// Everything that ties this process's replicas of one database to those of other processes: its
// place at the port between nodes, calls to them, and the fan-out. Nothing of it where the logs are
// this process's alone.
//
// Thread: the loop that it was opened on.
// Ownership: outlives what join() gave.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/keyring.h"
#include "config/config.h"
#include "replica/replica.h"
#include "server/fan_out.h"
#include "server/node.h"
#include "server/store.h"

namespace lattice::server {

// One tenant's; outlives its replica.
struct TenantLinks {
  replica::Links get() const {
    return {.session = session, .peers = peers.get(), .fanout = fanout.get(), .keyring = keyring};
  }
  replica::SessionKeeper* session = nullptr;
  std::unique_ptr<replica::Peers> peers;
  std::unique_ptr<replica::Fanout> fanout;
  const Keyring* keyring = nullptr;
};

class NodeLinks {
 public:
  // `config` and `port` outlive it. `opened`: any of the database's logs.
  // Errors: io, the port between nodes cannot be had; invalid_argument, [fanout] url.
  static Result<std::unique_ptr<NodeLinks>> open(const config::Config& config,
                                                 const TlsSources& tls, NodePort& port,
                                                 const StoreSurroundings& around,
                                                 const OpenedLog& opened);

  // How clients and other nodes know this process, whose client port is bound to `client_address`.
  replica::NodeInfo info(const std::string& client_address) const;
  // At which other nodes reach this process; empty: they do not.
  std::string address() const { return node_ == nullptr ? std::string() : node_->address(); }
  // Takes the database's own fan-out out of `opened`. `session`: the process's, where there is one.
  TenantLinks join(OpenedLog* opened, replica::SessionKeeper* session);
  // Why Redis carries nothing now, if it should.
  Status fan_out_health() const { return fan_out_ == nullptr ? Status() : fan_out_->health(); }
  void attach(const replica::LogId& log, replica::PeerService& service);
  void detach(const replica::LogId& log);
  // The services' methods also answer what other nodes pass on.
  void serve_forwarded(const proxy::Router& services);
  // For passing requests on to other nodes from that loop; null where they are not reached. Valid
  // for as long as this.
  std::unique_ptr<peer::Surroundings> surroundings(loop::Loop& loop,
                                                   replica::Environment& environment) const;
  // Other nodes pass nothing more on to this one.
  void leave();
  // See Node; at once where there are no others.
  void when_quiet(loop::Task done);

 private:
  explicit NodeLinks(const config::Config& config) : config_(config) {}
  Status open_node(NodePort& port, const StoreSurroundings& around, const OpenedLog& opened);

  const config::Config& config_;
  std::optional<Keyring> keyring_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<FanOut> fan_out_;
};

}  // namespace lattice::server
