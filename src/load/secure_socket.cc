#include "load/secure_socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace lattice::load {
namespace {

constexpr std::string_view protocols = "\x02h2";

std::string openssl_error() {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  return text.data();
}

bool use_version(SSL_CTX* context, const TlsOptions& options) {
  if (options.version.empty()) return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1;
  const int version = options.version == "1.2" ? TLS1_2_VERSION : TLS1_3_VERSION;
  SSL_CTX_set_min_proto_version(context, version);
  SSL_CTX_set_max_proto_version(context, version);
  const int ciphers = version == TLS1_2_VERSION
                          ? SSL_CTX_set_cipher_list(context, options.cipher.c_str())
                          : SSL_CTX_set_ciphersuites(context, options.cipher.c_str());
  return ciphers == 1;
}

bool use_certificate(SSL_CTX* context, const TlsOptions& options) {
  if (options.chain.empty()) return true;
  return SSL_CTX_use_certificate_chain_file(context, options.chain.c_str()) == 1 &&
         SSL_CTX_use_PrivateKey_file(context, options.key.c_str(), SSL_FILETYPE_PEM) == 1;
}

struct AddressesFree {
  void operator()(addrinfo* all) const { freeaddrinfo(all); }
};

// A socket that is connected to one of the host's addresses; -1: none answers.
int connect_to(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return -1;
  const std::unique_ptr<addrinfo, AddressesFree> all(found);
  for (const addrinfo* each = all.get(); each != nullptr; each = each->ai_next) {
    const int fd = socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    if (connect(fd, each->ai_addr, each->ai_addrlen) == 0) return fd;
    close(fd);
  }
  return -1;
}

// Whom the certificate must be for, and whom a server with several names is asked for.
void expect_host(SSL* ssl, const std::string& host) {
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1) return;
  SSL_set1_host(ssl, host.c_str());
  SSL_set_tlsext_host_name(ssl, host.c_str());
}

bool set_blocking(int fd, bool blocking) {
  const int flags = fcntl(fd, F_GETFL) & ~O_NONBLOCK;
  return fcntl(fd, F_SETFL, blocking ? flags : flags | O_NONBLOCK) == 0;
}

}  // namespace

std::unique_ptr<TlsClient> TlsClient::make(const TlsOptions& options, std::string& why) {
  auto client = std::make_unique<TlsClient>();
  client->context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = client->context_.get();
  if (context == nullptr) return nullptr;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  const auto* names = reinterpret_cast<const unsigned char*>(protocols.data());
  if (use_version(context, options) && use_certificate(context, options) &&
      SSL_CTX_load_verify_file(context, options.ca.c_str()) == 1 &&
      SSL_CTX_set1_groups_list(context, "X25519:P-256") == 1 &&
      SSL_CTX_set_alpn_protos(context, names, protocols.size()) == 0) {
    return client;
  }
  why = openssl_error();
  return nullptr;
}

SecureSocket::~SecureSocket() {
  if (fd_ >= 0) close(fd_);
}

bool SecureSocket::begin(const std::string& host, uint16_t port) {
  fd_ = connect_to(host, port);
  if (fd_ < 0) return false;
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (!set_blocking(fd_, false)) return false;
  if (tls_ == nullptr) return true;
  ssl_.reset(SSL_new(tls_->get()));
  if (!ssl_ || SSL_set_fd(ssl_.get(), fd_) != 1) return false;
  SSL_set_connect_state(ssl_.get());
  expect_host(ssl_.get(), host);
  return step() != Step::failed;
}

SecureSocket::Step SecureSocket::step() {
  if (!ssl_) return Step::done;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return Step::done;
  return outcome(result) < 0 && errno == EAGAIN ? Step::again : Step::failed;
}

bool SecureSocket::open(const std::string& host, uint16_t port) {
  if (!begin(host, port) || !set_blocking(fd_, true)) return false;
  return step() == Step::done && set_blocking(fd_, false);
}

// Of a call of OpenSSL that moved nothing.
ssize_t SecureSocket::outcome(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      errno = ECONNRESET;
      return -1;
  }
}

ssize_t SecureSocket::receive(char* into, size_t size) {
  if (!ssl_) return recv(fd_, into, size, 0);
  ERR_clear_error();
  const int result = SSL_read(ssl_.get(), into, static_cast<int>(std::min<size_t>(size, INT_MAX)));
  return result > 0 ? result : outcome(result);
}

ssize_t SecureSocket::send(const char* from, size_t size) {
  if (!ssl_) return ::send(fd_, from, size, MSG_NOSIGNAL);
  ERR_clear_error();
  const int result = SSL_write(ssl_.get(), from, static_cast<int>(std::min<size_t>(size, INT_MAX)));
  return result > 0 ? result : outcome(result);
}

void SecureSocket::finish() {
  ERR_clear_error();
  if (ssl_) SSL_shutdown(ssl_.get());
  shutdown(fd_, SHUT_WR);
}

}  // namespace lattice::load
