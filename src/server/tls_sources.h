// The TLS contexts of everything that this process speaks TLS on, as configured.
// Thread: made on the main thread before others exist; the Sources may be used anywhere.
#pragma once

#include <memory>

#include "config/config.h"
#include "server/tls_files.h"
#include "tls/context.h"

namespace lattice::server {

struct TlsSources {
  // Null: plaintext.
  std::shared_ptr<const tls::Source> client_port;
  std::shared_ptr<const tls::Source> node_port;   // calls of other nodes
  std::shared_ptr<const tls::Source> node_calls;  // calls to other nodes
  std::shared_ptr<const tls::Source> redis;
  std::shared_ptr<const tls::Source> control_plane;
};

// Errors: io and invalid_argument, saying what is wrong with which files.
Result<TlsSources> open_tls(const config::Config& config, TlsFiles& files);
// Those only that a command has which calls the nodes and the control plane.
Result<TlsSources> open_calling_tls(const config::Config& config, TlsFiles& files);

}  // namespace lattice::server
