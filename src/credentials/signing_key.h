// Signatures of JWTs (RFC 7518): RS, PS, ES and HS with 256, 384 and 512 bits, and EdDSA.
// Thread: immutable; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace lattice::credentials {

class SigningKey {
 public:
  // `method`: "RS256" and so on. The keys are PEM, of HS the bytes themselves, as private key. A
  // private key alone is enough. Errors: invalid_argument, naming what does not fit.
  static Result<std::unique_ptr<SigningKey>> make(std::string_view method,
                                                  const std::string& public_key,
                                                  const std::string& private_key);
  ~SigningKey();

  const std::string& method() const;
  bool can_sign() const;
  // Requires: can_sign().
  Result<std::string> sign(std::string_view data) const;
  bool verify(std::string_view data, std::string_view signature) const;

 private:
  struct Impl;
  explicit SigningKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lattice::credentials
