// Where a command's requests go, as operators write it: "host:port", "http://..." or "https://...".
// Thread: any.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "tls/context.h"

namespace lattice::server {

struct ClientEndpoint {
  std::string address;                          // "host:port"
  std::shared_ptr<const tls::Context> context;  // null: plaintext
};

// Without a scheme, one of the files is enough to mean TLS; `protocol` is what ALPN offers.
// Errors: invalid_argument, for files that cannot be used.
Result<ClientEndpoint> client_endpoint(std::string endpoint, const tls::Files& files,
                                       std::string_view protocol);

}  // namespace lattice::server
