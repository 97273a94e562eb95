// Makes certificates: an authority of our own and what it signs, with elliptic keys (P-256).
// Thread: values; blocks for some milliseconds at most.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "tls/openssl.h"

namespace lattice::tls {

struct CertificatePlan {
  std::string common_name;
  std::vector<std::string> hosts;  // names and addresses: the subject's alternative names
  bool for_server = false;
  bool for_client = false;
  int days = 0;
};

struct PemPair {
  std::string certificate, key;
};

class Authority {
 public:
  // Errors: invalid_argument, of OpenSSL or a name that is none.
  static Result<Authority> create(const std::string& common_name, int days);
  Result<PemPair> issue(const CertificatePlan& plan) const;
  Result<PemPair> own() const;

 private:
  Authority(X509Ptr certificate, KeyPtr key)
      : certificate_(std::move(certificate)), key_(std::move(key)) {}

  X509Ptr certificate_;
  KeyPtr key_;
};

}  // namespace lattice::tls
