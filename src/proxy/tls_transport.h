// TLS below HTTP: src/tls as a Transport, for both ends.
// Thread: the connection's loop. Ownership: owns the descriptor.
//
// The steps of a server's handshake are taken on a thread beside the loop, for one is 0.2 ms that
// cannot be cut, and whoever connects has it taken (docs/decisions/0031). Meanwhile the loop leaves
// the Stream alone; who gives the transport up gives up the step, and the Stream, with its
// descriptor, ends on the loop when the step is over.
#pragma once

#include <memory>
#include <string>

#include "loop/side_thread.h"
#include "proxy/transport.h"
#include "tls/context.h"

namespace lattice::proxy {

// For an accepted connection. A client that speaks HTTP in the clear is told so. `handshakes` takes
// the steps, as many as there are connections, and may go before the transport.
std::unique_ptr<Transport> make_tls_transport(std::shared_ptr<const tls::Context> context, int fd,
                                              loop::SideThread& handshakes);

// Towards `host`, a name or an address that the server's certificate must have.
std::unique_ptr<Transport> make_tls_transport(std::shared_ptr<const tls::Context> context, int fd,
                                              const std::string& host);

}  // namespace lattice::proxy
