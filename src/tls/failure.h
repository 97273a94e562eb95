// Why TLS failed.
// Thread: values.
#pragma once

#include <cstdint>
#include <string>

namespace lattice::tls {

// Why a connection failed, for logs and metrics.
struct Failure {
  enum class Kind : uint8_t {
    not_tls,         // the other side speaks something else
    their_identity,  // we refuse their certificate, or its lack
    our_identity,    // they refuse ours
    protocol,        // no common version or cipher, broken messages
    lost,            // the connection ended within the handshake
  };
  Kind kind = Kind::protocol;
  std::string cause;
  std::string asked;    // the name that the client wanted to talk to; empty: it named none
  std::string offered;  // whom the certificate in question is for

  // All of it in one sentence.
  std::string describe() const;
};

// What the error queue has of a handshake or a record that failed, which it empties. `refused`: why
// the other side's certificate does not verify; empty: it does.
Failure take_failure(const std::string& refused);

}  // namespace lattice::tls
