// A connected byte stream below HTTP: a plain socket, or TLS over one. Both never block.
// Thread: the connection's loop. Ownership: owns the descriptor and closes it.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "proxy/call.h"

namespace lattice::proxy {

struct IoResult {
  enum class Kind : uint8_t { moved, would_block, end, failed };
  Kind kind = Kind::would_block;
  size_t bytes = 0;  // > 0 with `moved` only
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual int fd() const = 0;
  virtual IoResult receive(std::span<char> into) = 0;
  virtual IoResult send(std::span<const iovec> parts) = 0;
  // Data that receive() can hand out although the descriptor is not readable.
  virtual bool has_buffered_input() const { return false; }
  // Tells the peer that nothing more will come (FIN; close_notify).
  virtual void end_output() = 0;
  // Whether the descriptor's becoming writable would help; `waiting`: the caller has something to
  // send. A handshake that waits for the peer says no, one that has something of its own to send
  // yes.
  virtual bool wants_writable(bool waiting) const { return waiting; }
  // Of the other end, as ServerStream has them.
  virtual std::shared_ptr<const PeerCertificate> peer_certificate() const { return nullptr; }
  virtual std::string_view server_name() const { return {}; }
};

std::unique_ptr<Transport> make_plain_transport(int fd);

}  // namespace lattice::proxy
