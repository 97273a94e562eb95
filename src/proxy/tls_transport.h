// TLS below HTTP: src/tls as a Transport, for both ends.
// Thread: the connection's loop. Ownership: owns the descriptor.
#pragma once

#include <memory>
#include <string>

#include "proxy/transport.h"
#include "tls/context.h"

namespace lattice::proxy {

// For an accepted connection. A client that speaks HTTP in the clear is told so.
std::unique_ptr<Transport> make_tls_transport(std::shared_ptr<const tls::Context> context, int fd);

// Towards `host`, a name or an address that the server's certificate must have.
std::unique_ptr<Transport> make_tls_transport(std::shared_ptr<const tls::Context> context, int fd,
                                              const std::string& host);

}  // namespace lattice::proxy
