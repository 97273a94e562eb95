// The control plane as a command asks it: one question after the other, each of which blocks.
//
// Thread: the caller's. Ownership: the BlockingLoop outlives it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/connection.h"
#include "proto/rpc.pb.h"
#include "server/opened_database.h"

namespace lattice::server {

class PlaneClient {
 public:
  PlaneClient(BlockingLoop& blocking, std::vector<std::string> endpoints,
              std::shared_ptr<const tls::Source> tls);
  ~PlaneClient();

  // Asks one endpoint after the other until one answers: for what may be asked twice.
  // Errors: backend_unavailable, with what the last one said.
  Result<etcdserverpb::TxnResponse> read(const etcdserverpb::TxnRequest& request);
  // Asks once, where the newest answer came from. After an error nobody knows whether it was done.
  Result<etcdserverpb::TxnResponse> write(const etcdserverpb::TxnRequest& request);

 private:
  void connect();
  void drop();

  BlockingLoop& blocking_;
  const std::vector<std::string> endpoints_;
  const std::shared_ptr<const tls::Source> tls_;
  const std::shared_ptr<proxy::ClientContext> context_;
  size_t endpoint_ = 0;
  std::unique_ptr<control::Connection> connection_;  // null: none yet, or it has failed
  bool lost_ = false;
};

}  // namespace lattice::server
