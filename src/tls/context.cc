#include "tls/context.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <new>
#include <system_error>

#include "base/sha256.h"
#include "tls/socket_bio.h"
#include "tls/stream.h"

namespace lattice::tls {
namespace {

constexpr size_t file_bytes_max = 4 << 20;
// Sessions are resumed for so long; then the certificates are looked at again.
constexpr long session_seconds = 3600;
constexpr int verify_depth_max = 8;
constexpr long peer_chain_bytes_max = 64 << 10;

// Those of TLS 1.2 that HTTP/2 allows.
constexpr const char* ciphers_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* groups = "X25519:P-256:P-384";

Status io_error(const std::string& path, const char* what) {
  return {Error::io, path + ": " + what};
}

Result<std::string> read_file(const std::string& path) {
  if (path.empty()) return std::string();
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const auto reason = [] { return std::generic_category().message(errno); };
  if (fd < 0) return io_error(path, reason().c_str());
  std::string text;
  std::array<char, 16 << 10> buffer;
  ssize_t got = 0;
  while ((got = read(fd, buffer.data(), buffer.size())) > 0 && text.size() <= file_bytes_max) {
    text.append(buffer.data(), static_cast<size_t>(got));
  }
  const std::string trouble = got < 0 ? reason() : "";
  close(fd);
  if (!trouble.empty()) return io_error(path, trouble.c_str());
  if (text.size() > file_bytes_max) return io_error(path, "larger than any certificate file");
  if (text.empty()) return io_error(path, "empty");
  return text;
}

Status invalid(std::string what) {
  ERR_clear_error();
  return {Error::invalid_argument, std::move(what)};
}

// A key that is protected by a password is refused; nobody is there to type one.
int no_password(char*, int, int, void*) { return 0; }

std::vector<X509Ptr> read_certificates(const std::string& pem) {
  std::vector<X509Ptr> certificates;
  const BioPtr bio = reader_of(pem);
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)) {
    certificates.emplace_back(certificate);
  }
  // The end is an error, too; a broken certificate is another one.
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) certificates.clear();
  ERR_clear_error();
  return certificates;
}

}  // namespace

Result<Material> read_files(const Files& files) {
  Material material;
  for (const auto& [path, text] :
       {std::pair(&files.chain, &material.chain), std::pair(&files.key, &material.key),
        std::pair(&files.ca, &material.ca)}) {
    Result<std::string> content = read_file(*path);
    if (!content.ok()) return content.status();
    *text = std::move(*content);
  }
  return material;
}

Context::Context(bool server)
    : server_(server),
      context_(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method())),
      socket_method_(new_socket_method()) {
  if (context_ == nullptr || socket_method_ == nullptr) throw std::bad_alloc();
  SSL_CTX* ssl = context_.get();
  SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                               SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  // Header and record in one system call.
  SSL_CTX_set_read_ahead(ssl, 1);
  // Tickets only: they cost no memory here, and every loop can open them.
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(ssl, session_seconds);
  SSL_CTX_set_num_tickets(ssl, 1);
  SSL_CTX_set_verify_depth(ssl, verify_depth_max);
  SSL_CTX_set_max_cert_list(ssl, peer_chain_bytes_max);
  SSL_CTX_set_msg_callback(ssl, &Stream::on_protocol_message);
}

Result<std::shared_ptr<const Context>> Context::server(const Material& material,
                                                       const ServerOptions& options) {
  auto context = std::shared_ptr<Context>(new Context(/*server=*/true));
  SSL_CTX* ssl = context->context_.get();
  if (Status status = context->use_versions(options.oldest); !status.ok()) return status;
  if (Status status = context->use_certificate(material); !status.ok()) return status;
  if (!material.ca.empty()) {
    if (Status status = context->use_authorities(material.ca); !status.ok()) return status;
    const int required = options.certificate_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | required, &Stream::on_verify);
  }
  // A session that began under other authorities means nothing under these.
  Sha256 hash;
  hash.update(options.certificate_optional ? "optional" : "required");
  hash.update(material.ca);
  const Digest id = hash.finish();
  SSL_CTX_set_session_id_context(ssl, id.data(), id.size());
  if (Status status = context->set_protocols(options.protocols); !status.ok()) return status;
  SSL_CTX_set_alpn_select_cb(ssl, &Context::select_protocol, context.get());
  return std::shared_ptr<const Context>(std::move(context));
}

Result<std::shared_ptr<const Context>> Context::client(const Material& material,
                                                       const ClientOptions& options) {
  auto context = std::shared_ptr<Context>(new Context(/*server=*/false));
  SSL_CTX* ssl = context->context_.get();
  if (Status status = context->use_versions(Version::tls_1_2); !status.ok()) return status;
  if (!material.chain.empty()) {
    if (Status status = context->use_certificate(material); !status.ok()) return status;
  }
  if (material.ca.empty()) {
    SSL_CTX_set_default_verify_paths(ssl);
    ERR_clear_error();
  } else if (Status status = context->use_authorities(material.ca); !status.ok()) {
    return status;
  }
  SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, &Stream::on_verify);
  if (Status status = context->set_protocols(options.protocols); !status.ok()) return status;
  if (!context->protocols_.empty()) {
    SSL_CTX_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(context->protocols_.data()),
                            static_cast<unsigned>(context->protocols_.size()));
  }
  return std::shared_ptr<const Context>(std::move(context));
}

Status Context::use_versions(Version oldest) {
  const int version = oldest == Version::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  if (SSL_CTX_set_min_proto_version(context_.get(), version) != 1 ||
      SSL_CTX_set_cipher_list(context_.get(), ciphers_1_2) != 1 ||
      SSL_CTX_set1_groups_list(context_.get(), groups) != 1) {
    return {Error::internal, "OpenSSL lacks what TLS needs: " + take_error()};
  }
  return {};
}

Status Context::use_certificate(const Material& material) {
  const std::vector<X509Ptr> chain = read_certificates(material.chain);
  if (chain.empty()) return invalid("the certificate file holds no readable PEM certificate");
  const BioPtr bio = reader_of(material.key);
  const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (key == nullptr) {
    return invalid("the key file holds no readable PEM key (or one with a password)");
  }
  if (SSL_CTX_use_certificate(context_.get(), chain.front().get()) != 1) {
    return invalid("the certificate cannot be used: " + take_error());
  }
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    return invalid("the key does not belong to the certificate");
  }
  if (SSL_CTX_use_PrivateKey(context_.get(), key.get()) != 1) {
    return invalid("the key cannot be used: " + take_error());
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context_.get(), chain[i].get()) != 1) {
      return invalid("the certificate's chain cannot be used: " + take_error());
    }
  }
  names_ = names_of(chain.front().get());
  expiry_ = expiry_of(chain.front().get());
  return {};
}

Status Context::use_authorities(const std::string& ca) {
  const std::vector<X509Ptr> authorities = read_certificates(ca);
  if (authorities.empty()) return invalid("the CA file holds no readable PEM certificate");
  X509_STORE* store = SSL_CTX_get_cert_store(context_.get());
  for (const X509Ptr& authority : authorities) {
    if (X509_STORE_add_cert(store, authority.get()) != 1) {
      return invalid("the CA file cannot be used: " + take_error());
    }
    // Tells clients which of their certificates to show.
    if (server_) SSL_CTX_add_client_CA(context_.get(), authority.get());
  }
  return {};
}

Status Context::set_protocols(const std::vector<std::string>& protocols) {
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) return invalid("no ALPN protocol: " + protocol);
    protocols_ += static_cast<char>(protocol.size());
    protocols_ += protocol;
  }
  return {};
}

int Context::select_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                             const unsigned char* in, unsigned in_size, void* self) {
  const std::string& ours = static_cast<Context*>(self)->protocols_;
  if (ours.empty()) return SSL_TLSEXT_ERR_NOACK;
  unsigned char* chosen = nullptr;
  const int result =
      SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned>(ours.size()), in, in_size);
  *out = chosen;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool Context::expired() const {
  const X509* own = SSL_CTX_get0_certificate(context_.get());
  return own != nullptr && X509_cmp_current_time(X509_get0_notAfter(own)) < 0;
}

}  // namespace lattice::tls
