// The tokens that this process makes and reads, by [auth] and the secret that nodes share.
// Thread: start-up. Ownership: what it answers is shared by the loops.
#pragma once

#include <memory>
#include <string>

#include "config/config.h"
#include "credentials/tokens.h"
#include "replica/environment.h"

namespace lattice::server {

class TokenSource {
 public:
  // Reads the keys of JWTs. Errors: invalid_argument.
  Status open(const config::Auth& auth);
  // Simple tokens are under the secret that nodes share. Where there are no others, one for as long
  // as this process lives: etcd's members forget theirs, too.
  std::shared_ptr<const credentials::Tokens> get(const config::Config& config,
                                                 const std::string& cluster_secret,
                                                 replica::Environment& environment) const;

 private:
  std::shared_ptr<const credentials::Tokens> jwt_;
};

}  // namespace lattice::server
