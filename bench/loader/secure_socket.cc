#include "secure_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace lattice::bench {
namespace {

constexpr std::string_view kProtocols = "\x02h2";

std::string openssl_error() {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  return text.data();
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
  const int version = options.version == "1.2" ? TLS1_2_VERSION : TLS1_3_VERSION;
  SSL_CTX_set_min_proto_version(context, version);
  SSL_CTX_set_max_proto_version(context, version);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  const int ciphers = version == TLS1_2_VERSION
                          ? SSL_CTX_set_cipher_list(context, options.cipher.c_str())
                          : SSL_CTX_set_ciphersuites(context, options.cipher.c_str());
  const auto* protocols = reinterpret_cast<const unsigned char*>(kProtocols.data());
  if (ciphers == 1 && SSL_CTX_load_verify_file(context, options.ca.c_str()) == 1 &&
      SSL_CTX_set1_groups_list(context, "X25519:P-256") == 1 &&
      SSL_CTX_set_alpn_protos(context, protocols, kProtocols.size()) == 0) {
    return client;
  }
  why = openssl_error();
  return nullptr;
}

SecureSocket::~SecureSocket() {
  if (fd_ >= 0) close(fd_);
}

bool SecureSocket::begin(const std::string& host, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) return false;
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return false;
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return false;
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (!set_blocking(fd_, false)) return false;
  if (tls_ == nullptr) return true;
  ssl_.reset(SSL_new(tls_->get()));
  if (!ssl_ || SSL_set_fd(ssl_.get(), fd_) != 1) return false;
  SSL_set_connect_state(ssl_.get());
  X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str());
  return step() != Step::kFailed;
}

SecureSocket::Step SecureSocket::step() {
  if (!ssl_) return Step::kDone;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return Step::kDone;
  return outcome(result) < 0 && errno == EAGAIN ? Step::kAgain : Step::kFailed;
}

bool SecureSocket::open(const std::string& host, uint16_t port) {
  if (!begin(host, port) || !set_blocking(fd_, true)) return false;
  return step() == Step::kDone && set_blocking(fd_, false);
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

}  // namespace lattice::bench
