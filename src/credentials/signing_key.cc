#include "credentials/signing_key.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>

namespace lattice::credentials {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};
template <class T>
using Handle = std::unique_ptr<T, Free>;

const unsigned char* bytes_of(std::string_view data) {
  return reinterpret_cast<const unsigned char*>(data.data());
}

Handle<EVP_PKEY> read_pem(const std::string& text, bool is_private) {
  const Handle<BIO> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  // Never asks at a terminal for a passphrase.
  const auto no_passphrase = [](char*, int, int, void*) { return 0; };
  EVP_PKEY* key = is_private ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr)
                             : PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr);
  return Handle<EVP_PKEY>(key);
}

enum class Family : uint8_t { rsa, pss, ecdsa, eddsa, hmac };

struct Method {
  std::string_view name;
  Family family;
  const EVP_MD* (*digest)();
  int coordinate_bytes = 0;  // of ES: half a signature
};

const EVP_MD* no_digest() { return nullptr; }

constexpr auto methods = std::to_array<Method>({
    {"RS256", Family::rsa, EVP_sha256},
    {"RS384", Family::rsa, EVP_sha384},
    {"RS512", Family::rsa, EVP_sha512},
    {"PS256", Family::pss, EVP_sha256},
    {"PS384", Family::pss, EVP_sha384},
    {"PS512", Family::pss, EVP_sha512},
    {"ES256", Family::ecdsa, EVP_sha256, 32},
    {"ES384", Family::ecdsa, EVP_sha384, 48},
    {"ES512", Family::ecdsa, EVP_sha512, 66},
    {"HS256", Family::hmac, EVP_sha256},
    {"HS384", Family::hmac, EVP_sha384},
    {"HS512", Family::hmac, EVP_sha512},
    {"EdDSA", Family::eddsa, no_digest},
});

// JWT has r and s side by side, OpenSSL an ASN.1 sequence of them.
std::string der_to_raw(std::string_view der, int coordinate_bytes) {
  const unsigned char* in = bytes_of(der);
  const Handle<ECDSA_SIG> parsed(d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size())));
  if (parsed == nullptr) return {};
  std::string raw(static_cast<size_t>(coordinate_bytes) * 2, '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  const bool fits =
      BN_bn2binpad(ECDSA_SIG_get0_r(parsed.get()), out, coordinate_bytes) > 0 &&
      BN_bn2binpad(ECDSA_SIG_get0_s(parsed.get()), out + coordinate_bytes, coordinate_bytes) > 0;
  return fits ? raw : std::string();
}

std::string raw_to_der(std::string_view raw, int coordinate_bytes) {
  if (raw.size() != static_cast<size_t>(coordinate_bytes) * 2) return {};
  const Handle<ECDSA_SIG> built(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(bytes_of(raw), coordinate_bytes, nullptr);
  BIGNUM* s = BN_bin2bn(bytes_of(raw) + coordinate_bytes, coordinate_bytes, nullptr);
  if (built == nullptr || ECDSA_SIG_set0(built.get(), r, s) != 1) return {};
  const int size = i2d_ECDSA_SIG(built.get(), nullptr);
  if (size <= 0) return {};
  std::string der(static_cast<size_t>(size), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(built.get(), &out);
  return der;
}

bool set_padding(EVP_PKEY_CTX* context, const Method& method) {
  if (method.family == Family::rsa) {
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
  }
  if (method.family != Family::pss) return true;
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

bool fits(EVP_PKEY* key, const Method& method) {
  switch (method.family) {
    case Family::rsa:
    case Family::pss:
      return EVP_PKEY_base_id(key) == EVP_PKEY_RSA;
    case Family::ecdsa:
      return EVP_PKEY_base_id(key) == EVP_PKEY_EC &&
             (EVP_PKEY_bits(key) + 7) / 8 == method.coordinate_bytes;
    case Family::eddsa:
      return EVP_PKEY_base_id(key) == EVP_PKEY_ED25519;
    case Family::hmac:
      return false;
  }
  return false;
}

}  // namespace

struct SigningKey::Impl {
  const Method& method;
  std::string name;
  std::string secret;  // of HS
  Handle<EVP_PKEY> public_key;
  Handle<EVP_PKEY> private_key;

  std::string hmac(std::string_view data) const {
    std::string mac(EVP_MAX_MD_SIZE, '\0');
    unsigned int size = 0;
    HMAC(method.digest(), secret.data(), static_cast<int>(secret.size()), bytes_of(data),
         data.size(), reinterpret_cast<unsigned char*>(mac.data()), &size);
    mac.resize(size);
    return mac;
  }
};

SigningKey::SigningKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SigningKey::~SigningKey() = default;

Result<std::unique_ptr<SigningKey>> SigningKey::make(std::string_view method_name,
                                                     const std::string& public_key,
                                                     const std::string& private_key) {
  const auto refuse = [](std::string why) {
    return Status(Error::invalid_argument, std::move(why));
  };
  const Method* method = nullptr;
  for (const Method& known : methods) {
    if (known.name == method_name) method = &known;
  }
  if (method == nullptr) return refuse("unknown sign-method");
  auto impl = std::unique_ptr<Impl>(new Impl{*method, std::string(method_name), {}, {}, {}});
  if (method->family == Family::hmac) {
    if (private_key.empty()) return refuse("priv-key is empty");
    impl->secret = private_key;
    return std::unique_ptr<SigningKey>(new SigningKey(std::move(impl)));
  }
  if (!private_key.empty()) {
    impl->private_key = read_pem(private_key, true);
    if (impl->private_key == nullptr) return refuse("priv-key holds no private key in PEM");
    if (!fits(impl->private_key.get(), *method)) return refuse("priv-key is not for sign-method");
  }
  if (!public_key.empty()) {
    impl->public_key = read_pem(public_key, false);
    if (impl->public_key == nullptr) return refuse("pub-key holds no public key in PEM");
    if (!fits(impl->public_key.get(), *method)) return refuse("pub-key is not for sign-method");
  }
  if (impl->public_key == nullptr && impl->private_key == nullptr) {
    return refuse("neither pub-key nor priv-key is given");
  }
  const bool both = impl->public_key != nullptr && impl->private_key != nullptr;
  if (both && EVP_PKEY_eq(impl->public_key.get(), impl->private_key.get()) != 1) {
    return refuse("pub-key and priv-key are not a pair");
  }
  return std::unique_ptr<SigningKey>(new SigningKey(std::move(impl)));
}

const std::string& SigningKey::method() const { return impl_->name; }

bool SigningKey::can_sign() const {
  return impl_->method.family == Family::hmac || impl_->private_key != nullptr;
}

Result<std::string> SigningKey::sign(std::string_view data) const {
  const Method& method = impl_->method;
  if (method.family == Family::hmac) return impl_->hmac(data);
  const Handle<EVP_MD_CTX> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  size_t size = 0;
  const bool begun =
      EVP_DigestSignInit(context.get(), &options, method.digest(), nullptr,
                         impl_->private_key.get()) == 1 &&
      set_padding(options, method) &&
      EVP_DigestSign(context.get(), nullptr, &size, bytes_of(data), data.size()) == 1;
  std::string signature(size, '\0');
  if (!begun || EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()),
                               &size, bytes_of(data), data.size()) != 1) {
    return Status(Error::internal, "a token could not be signed");
  }
  signature.resize(size);
  return method.family == Family::ecdsa ? der_to_raw(signature, method.coordinate_bytes)
                                        : signature;
}

bool SigningKey::verify(std::string_view data, std::string_view signature) const {
  const Method& method = impl_->method;
  if (method.family == Family::hmac) {
    const std::string mine = impl_->hmac(data);
    return mine.size() == signature.size() &&
           CRYPTO_memcmp(mine.data(), signature.data(), mine.size()) == 0;
  }
  const std::string der =
      method.family == Family::ecdsa ? raw_to_der(signature, method.coordinate_bytes) : "";
  if (method.family == Family::ecdsa) signature = der;
  const Handle<EVP_MD_CTX> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  EVP_PKEY* key = impl_->public_key != nullptr ? impl_->public_key.get() : impl_->private_key.get();
  return EVP_DigestVerifyInit(context.get(), &options, method.digest(), nullptr, key) == 1 &&
         set_padding(options, method) &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(data),
                          data.size()) == 1;
}

}  // namespace lattice::credentials
