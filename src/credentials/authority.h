// Who calls, for one event loop: reads tokens, and remembers those that it has read; makes them;
// hashes and compares passwords on the side.
//
// Thread: one loop's.
// Ownership: shares the Tokens with other loops.
// Bounds: `tokens_max` remembered tokens; a simple token that is forgotten ends its time after its
//   login, because only memory prolongs it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "auth/types.h"
#include "base/callback.h"
#include "base/string_hash.h"
#include "credentials/bcrypt.h"
#include "credentials/login_guard.h"
#include "credentials/tokens.h"
#include "credentials/wall_clock.h"

namespace lattice::credentials {

class Authority {
 public:
  // Runs `work` on another thread, then `done` on this loop. False: too much waits already.
  using Task = absl::AnyInvocable<void()>;
  using RunAside = absl::AnyInvocable<bool(Task work, Task done)>;
  using Clock = int64_t (*)();

  explicit Authority(RunAside run_aside, int bcrypt_cost = bcrypt_cost_default,
                     Clock clock = wall_seconds)
      : run_aside_(std::move(run_aside)), bcrypt_cost_(bcrypt_cost), clock_(clock) {}

  // Until then every token is invalid.
  void use(std::shared_ptr<const Tokens> tokens) { tokens_ = std::move(tokens); }

  // Whom a token names, a "Bearer " in front of it or not; never null. `any_realm`: a token that
  // names no log counts here. An API token names nobody by itself: the tenant's log knows it.
  auth::CallerRef identify(std::string_view token, bool any_realm);
  Result<std::string> issue(const TokenClaims& claims) const;

  // Errors: too_many_requests; those of hash_password().
  void hash(std::string password, Callback<std::string> done);
  // An empty hash is compared with, too: nobody learns from the time it takes who exists.
  // Errors: too_many_requests.
  void check(std::string password, std::string hash, Callback<bool> done);

  LoginGuard& guard() { return guard_; }
  int64_t now_seconds() const { return clock_(); }

 private:
  struct Known {
    auth::CallerRef caller;
    int64_t expires_seconds = 0;
    int64_t lifetime_seconds = 0;
  };
  using Cache = absl::flat_hash_map<std::string, Known, StringHash, StringEqual>;
  static constexpr size_t tokens_max = 16'384;

  auth::CallerRef identify_machine(std::string_view token) const;
  auth::CallerRef use_known(Known& known, int64_t now) const;
  Known* find(std::string_view token);
  Known& remember(std::string_view token, Known known);

  RunAside run_aside_;
  const int bcrypt_cost_;
  const Clock clock_;
  std::shared_ptr<const Tokens> tokens_;
  // Two generations: when the younger is full, the older is forgotten.
  Cache young_;
  Cache old_;
  LoginGuard guard_;
  const auth::CallerRef invalid_ = std::make_shared<const auth::Caller>();
};

}  // namespace lattice::credentials
