// Makes tokens and reads them: etcd's two kinds, as `--auth-token` chooses between them.
//
// Thread: immutable once made; any thread. Ownership: shared by the loops.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/types.h"
#include "base/status.h"

namespace lattice::credentials {

// Nothing longer is looked at.
inline constexpr size_t token_bytes_max = 8192;

struct TokenClaims {
  std::string user;
  uint64_t revision = 0;  // the auth revision of now
  std::string realm;
};

class Tokens {
 public:
  virtual ~Tokens() = default;
  virtual Result<std::string> issue(const TokenClaims& claims, int64_t now_seconds) const = 0;

  struct Verified {
    auth::Caller caller;
    int64_t issued_seconds = 0;
    int64_t expires_seconds = 0;
  };
  // nullopt: not a token of this cluster. Whether it has ended is the caller's to see.
  virtual std::optional<Verified> verify(std::string_view token) const = 0;
  // Whether using a token prolongs it, as it does etcd's simple ones.
  virtual bool slides() const = 0;
};

}  // namespace lattice::credentials
