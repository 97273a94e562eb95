#include "tls/failure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/openssl.h"

namespace lattice::tls {
namespace {

// Alerts by which the other side says that our certificate, or its lack, is the reason.
bool is_about_certificate(int alert) {
  switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_UNRECOGNIZED_NAME:
    case SSL_AD_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

Failure explain(const std::string& refused) {
  const int reason = ERR_GET_REASON(ERR_peek_error());
  using Kind = Failure::Kind;
  if (!refused.empty()) {
    return {Kind::their_identity, "the other side's certificate is refused: " + refused, {}, {}};
  }
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    return {Kind::their_identity, "the other side shows no certificate", {}, {}};
  }
  if (reason < SSL_AD_REASON_OFFSET) return {Kind::protocol, take_error(), {}, {}};
  const int alert = reason - SSL_AD_REASON_OFFSET;
  const std::string text = SSL_alert_desc_string_long(alert);
  if (is_about_certificate(alert)) {
    return {Kind::our_identity, "the other side refuses our certificate: " + text, {}, {}};
  }
  return {Kind::protocol, "the other side gave up: " + text, {}, {}};
}

}  // namespace

std::string Failure::describe() const {
  std::string text = cause;
  if (kind == Kind::their_identity || kind == Kind::our_identity) {
    text += " (asked for ";
    text += asked.empty() ? "no name" : asked;
    text += "; the certificate is for " + (offered.empty() ? "nobody" : offered) + ")";
  }
  return text;
}

Failure take_failure(const std::string& refused) {
  Failure failure = explain(refused);
  ERR_clear_error();
  return failure;
}

}  // namespace lattice::tls
