// What all TLS connections of one kind share: certificate, key, authorities, versions and ciphers.
// A file that has changed means a new Context; connections keep the one that they began with.
//
// Thread: immutable. Ownership: shared by its connections.
// Invariants: TLS 1.2 or newer with forward secrecy and AEAD; no renegotiation, no compression, no
//   early data. A session is resumed only under the authorities under which it began.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/snapshot.h"
#include "base/status.h"
#include "tls/names.h"
#include "tls/openssl.h"

namespace lattice::tls {

// Names of PEM files; empty: none.
struct Files {
  std::string chain;  // the certificate and what leads from it to its authority
  std::string key;
  std::string ca;  // the authorities whose certificates the other side may have
};

// Their content.
struct Material {
  std::string chain, key, ca;
  bool operator==(const Material&) const = default;
};

// Errors: io, naming the file. Blocks.
Result<Material> read_files(const Files& files);

enum class Version : uint8_t { tls_1_2, tls_1_3 };

struct ServerOptions {
  Version oldest = Version::tls_1_2;
  // With authorities clients are asked for a certificate; whether one without is let in. One that
  // does not verify never is.
  bool certificate_optional = false;
  std::vector<std::string> protocols;  // ALPN, the preferred one first
};

struct ClientOptions {
  std::vector<std::string> protocols;
};

class Context {
 public:
  // Requires: a chain and a key. Errors: invalid_argument, saying what is wrong with which of them.
  static Result<std::shared_ptr<const Context>> server(const Material& material,
                                                       const ServerOptions& options);
  // Without `ca` the system's authorities count. Chain and key are for servers that ask for them.
  static Result<std::shared_ptr<const Context>> client(const Material& material,
                                                       const ClientOptions& options);

  SSL_CTX* get() const { return context_.get(); }
  // How a Stream's bytes get to its socket and back.
  BIO_METHOD* socket_method() const { return socket_method_.get(); }
  bool is_server() const { return server_; }
  // Of the own certificate.
  const Names& names() const { return names_; }
  int64_t expiry() const { return expiry_; }  // seconds since 1970; 0: there is no certificate
  bool expired() const;

 private:
  explicit Context(bool server);
  Status use_certificate(const Material& material);
  Status use_authorities(const std::string& ca);
  Status use_versions(Version oldest);
  Status set_protocols(const std::vector<std::string>& protocols);
  static int select_protocol(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                             const unsigned char* in, unsigned in_size, void* self);

  const bool server_;
  SslContextPtr context_;
  BioMethodPtr socket_method_;
  Names names_;
  int64_t expiry_ = 0;
  std::string protocols_;  // as ALPN has them
};

// The Context that new connections take.
using Source = Snapshot<Context>;

}  // namespace lattice::tls
