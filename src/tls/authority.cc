#include "tls/authority.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

#include "tls/names.h"

namespace lattice::tls {
namespace {

using BignumPtr = std::unique_ptr<BIGNUM, Free<BN_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;

constexpr long seconds_per_day = 86'400;
// Clocks differ.
constexpr long begins_before_seconds = 300;
constexpr int serial_bits = 127;
constexpr size_t common_name_bytes_max = 64;  // of X.509

Status trouble(const std::string& what) {
  return {Error::invalid_argument, what + ": " + take_error()};
}

// What OpenSSL's little language for extensions would not take apart.
bool is_host(const std::string& host) {
  return !host.empty() && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == '*' || c == ':';
  });
}

bool set_serial(X509* certificate) {
  const BignumPtr number(BN_new());
  return number != nullptr &&
         BN_rand(number.get(), serial_bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// With everything but extensions and signature.
X509Ptr begin(const std::string& common_name, int days, EVP_PKEY* key, const X509* issuer) {
  X509Ptr certificate(X509_new());
  if (certificate == nullptr || common_name.size() > common_name_bytes_max) return nullptr;
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  const auto* name = reinterpret_cast<const unsigned char*>(common_name.data());
  const bool done =
      X509_set_version(certificate.get(), X509_VERSION_3) == 1 && set_serial(certificate.get()) &&
      X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -begins_before_seconds) != nullptr &&
      X509_gmtime_adj(X509_getm_notAfter(certificate.get()), seconds_per_day * days) != nullptr &&
      X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, name,
                                 static_cast<int>(common_name.size()), -1, 0) == 1 &&
      X509_set_pubkey(certificate.get(), key) == 1 &&
      X509_set_issuer_name(certificate.get(),
                           issuer == nullptr ? subject : X509_get_subject_name(issuer)) == 1;
  return done ? std::move(certificate) : nullptr;
}

std::string content_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : std::string();
}

Result<PemPair> to_pem(X509* certificate, EVP_PKEY* key) {
  const BioPtr certificate_bio(BIO_new(BIO_s_mem()));
  const BioPtr key_bio(BIO_new(BIO_s_mem()));
  if (certificate_bio == nullptr || key_bio == nullptr ||
      PEM_write_bio_X509(certificate_bio.get(), certificate) != 1 ||
      PEM_write_bio_PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return trouble("cannot write PEM");
  }
  return PemPair{content_of(certificate_bio.get()), content_of(key_bio.get())};
}

}  // namespace

Result<Authority> Authority::create(const std::string& common_name, int days) {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return trouble("cannot make a key");
  X509Ptr certificate = begin(common_name, days, key.get(), nullptr);
  X509* self = certificate.get();
  if (self == nullptr || !extend(self, self, NID_basic_constraints, "critical,CA:TRUE") ||
      !extend(self, self, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !extend(self, self, NID_subject_key_identifier, "hash") ||
      X509_sign(self, key.get(), EVP_sha256()) == 0) {
    return trouble("cannot make the authority's certificate");
  }
  return Authority(std::move(certificate), std::move(key));
}

Result<PemPair> Authority::own() const { return to_pem(certificate_.get(), key_.get()); }

Result<PemPair> Authority::issue(const CertificatePlan& plan) const {
  std::string names;
  for (const std::string& host : plan.hosts) {
    const bool address = is_address(host);
    if (!is_host(host) || (!address && host.find(':') != host.npos)) {
      return Status(Error::invalid_argument, "no name or address of a host: \"" + host + "\"");
    }
    names += (names.empty() ? "" : ",") + std::string(address ? "IP:" : "DNS:") + host;
  }
  const std::string purposes = plan.for_server && plan.for_client ? "serverAuth,clientAuth"
                               : plan.for_server                  ? "serverAuth"
                                                                  : "clientAuth";
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return trouble("cannot make a key");
  const X509Ptr certificate = begin(plan.common_name, plan.days, key.get(), certificate_.get());
  X509* self = certificate.get();
  X509* issuer = certificate_.get();
  if (self == nullptr || !extend(self, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
      !extend(self, issuer, NID_key_usage, "critical,digitalSignature") ||
      !extend(self, issuer, NID_ext_key_usage, purposes) ||
      !extend(self, issuer, NID_subject_key_identifier, "hash") ||
      !extend(self, issuer, NID_authority_key_identifier, "keyid") ||
      (!names.empty() && !extend(self, issuer, NID_subject_alt_name, names)) ||
      X509_sign(self, key_.get(), EVP_sha256()) == 0) {
    return trouble("cannot make the certificate of " + plan.common_name);
  }
  return to_pem(self, key.get());
}

}  // namespace lattice::tls
