// The socket of one connection, and TLS over it where that is wanted.
// Thread: the loader's only thread.
// Ownership: SecureSocket owns its descriptor; its TlsClient outlives it.
#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "load/options.h"

namespace lattice::load {

// What all connections of a run share: whom they trust, the version and the ciphers they offer.
class TlsClient {
 public:
  // Null when OpenSSL does not take the settings; `why` says what it minds.
  static std::unique_ptr<TlsClient> make(const TlsOptions& options, std::string& why);
  SSL_CTX* get() const { return context_.get(); }

 private:
  struct ContextFree {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  std::unique_ptr<SSL_CTX, ContextFree> context_;
};

class SecureSocket {
 public:
  // `tls` may be null: plaintext.
  explicit SecureSocket(const TlsClient* tls) : tls_(tls) {}
  ~SecureSocket();
  SecureSocket(const SecureSocket&) = delete;
  SecureSocket& operator=(const SecureSocket&) = delete;

  // Blocking, the handshake too; non-blocking from then on. `host`: a name or an
  // address.
  bool open(const std::string& host, uint16_t port);

  // The same in steps: connects, then step() whenever the socket is readable. False: it failed.
  bool begin(const std::string& host, uint16_t port);
  enum class Step { again, done, failed };
  Step step();

  int fd() const { return fd_; }
  bool secure() const { return ssl_ != nullptr; }
  // As recv() and send(): -1 with errno EAGAIN when the socket has or takes nothing now.
  ssize_t receive(char* into, size_t size);
  ssize_t send(const char* from, size_t size);
  // Says goodbye; receive() answers 0 once the other side has done so, too.
  void finish();

 private:
  struct SslFree {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  ssize_t outcome(int result);

  const TlsClient* tls_;
  int fd_ = -1;
  std::unique_ptr<SSL, SslFree> ssl_;
};

}  // namespace lattice::load
