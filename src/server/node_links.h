// Everything that ties this process's replica to those of other processes: the port between nodes,
// calls to them, and the fan-out. Nothing of it where the log is this process's alone.
//
// Thread: the loop that it was opened on.
// Ownership: outlives the replica that uses get().
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

class NodeLinks {
 public:
  // `config` and `tls` outlive it. Takes the database's own fan-out out of `opened`.
  // Errors: io, the port between nodes cannot be had; invalid_argument, [fanout] url.
  static Result<std::unique_ptr<NodeLinks>> open(const config::Config& config,
                                                 const TlsSources& tls,
                                                 const StoreSurroundings& around,
                                                 OpenedLog* opened);

  // How clients and other nodes know this process, whose client port is bound to `client_address`.
  replica::NodeInfo info(const std::string& client_address) const;
  // At which other nodes reach this process; empty: they do not.
  std::string address() const { return node_ == nullptr ? std::string() : node_->address(); }
  replica::Links get(replica::Sessions* sessions) const;
  // Why Redis carries nothing now, if it should.
  Status fan_out_health() const { return fan_out_ == nullptr ? Status() : fan_out_->health(); }
  void attach(replica::Replica& replica);
  void detach();
  // See Node; at once where there are no others.
  void when_quiet(loop::Task done);

 private:
  NodeLinks(const config::Config& config, const TlsSources& tls) : config_(config), tls_(tls) {}
  Status open_node(const StoreSurroundings& around, const OpenedLog& opened);

  const config::Config& config_;
  const TlsSources& tls_;
  replica::LogId log_id_{};
  std::optional<Keyring> keyring_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<replica::Peers> peers_;
  std::unique_ptr<FanOut> fan_out_;
  std::unique_ptr<replica::Fanout> fanout_;
};

}  // namespace lattice::server
