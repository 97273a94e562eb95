// Tokens that every node of the cluster accepts without having met them before: who logged in, when
// and at which auth revision, for which log, under a MAC of the cluster's secret. etcd's simple
// tokens are random and known to the members' memories; clients see no difference.
//
//   base64url( 1 | key id 4 | issued 8 | auth revision 8 | realm size 1 | realm | user | MAC 32 )
//
// Numbers are big-endian; the MAC covers all that stands before it.
//
// Thread: immutable; any thread. Ownership: holds the keyring.
#pragma once

#include "base/keyring.h"
#include "credentials/tokens.h"

namespace lattice::credentials {

class SimpleTokens final : public Tokens {
 public:
  SimpleTokens(Keyring keyring, int64_t ttl_seconds)
      : keyring_(std::move(keyring)), ttl_seconds_(ttl_seconds) {}

  Result<std::string> issue(const TokenClaims& claims, int64_t now_seconds) const override;
  std::optional<Verified> verify(std::string_view token) const override;
  bool slides() const override { return true; }

 private:
  const Keyring keyring_;
  const int64_t ttl_seconds_;
};

}  // namespace lattice::credentials
