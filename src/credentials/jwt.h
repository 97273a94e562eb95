// JSON Web Tokens (RFC 7519) with etcd's claims: `username`, `revision` (of the auth store) and
// `exp`; ours have `log`, too, the tenant's log, so that one tenant's token is not another's.
//
// The method is the configured one; what a token's header says about it is compared, not believed.
// A token without `exp` is none.
//
// Thread: immutable; any thread.
#pragma once

#include "credentials/signing_key.h"
#include "credentials/tokens.h"

namespace lattice::credentials {

class Jwt final : public Tokens {
 public:
  Jwt(std::unique_ptr<SigningKey> key, int64_t ttl_seconds)
      : key_(std::move(key)), ttl_seconds_(ttl_seconds) {}

  Result<std::string> issue(const TokenClaims& claims, int64_t now_seconds) const override;
  std::optional<Verified> verify(std::string_view token) const override;
  bool slides() const override { return false; }

 private:
  const std::unique_ptr<SigningKey> key_;
  const int64_t ttl_seconds_;
};

}  // namespace lattice::credentials
