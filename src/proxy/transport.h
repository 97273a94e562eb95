// A connected byte stream below HTTP: a plain socket, or TLS over one. Both never block.
// Thread: the connection's loop. Ownership: owns the descriptor and closes it.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "proxy/call.h"

namespace lattice::proxy {

struct IoResult {
  enum class Kind : uint8_t { moved, would_block, end, failed };
  Kind kind = Kind::would_block;
  size_t bytes = 0;  // > 0 with `moved` only
};

// Why a connection never came about, or broke: for logs and metrics.
struct TransportFailure {
  // Of a closed set: not_tls, peer_certificate, own_certificate, protocol, lost, timeout, tls,
  // limit.
  std::string_view reason;
  std::string cause;
  std::string asked;    // the name that the client wanted; empty: it named none
  std::string offered;  // whom the certificate in question is for
  std::string text;     // all of it in one sentence
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
  // Whether others can neither read nor change what is sent.
  virtual bool secure() const { return false; }
  // Nothing of the caller's is sent or received yet.
  virtual bool handshaking() const { return false; }
  // Whether another thread has a step of the handshake under way. Until then receive() and send()
  // answer would_block, whatever the descriptor has.
  virtual bool stepping() const { return false; }
  // `stepped`: called after each such step.
  virtual void when_stepped(absl::AnyInvocable<void()> stepped) { (void)stepped; }
  // What receive() or send() failed of, if it is worth telling; once.
  virtual std::optional<TransportFailure> take_failure() { return std::nullopt; }
  // Of the other end, as ServerStream has them.
  virtual std::shared_ptr<const PeerCertificate> peer_certificate() const { return nullptr; }
  virtual std::string_view server_name() const { return {}; }
};

std::unique_ptr<Transport> make_plain_transport(int fd);

}  // namespace lattice::proxy
