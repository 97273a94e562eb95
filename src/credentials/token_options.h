// What `[auth] token` asks for: "simple", or etcd's "jwt,sign-method=RS256,pub-key=...,...".
// Thread: start-up; reads the key files.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "credentials/tokens.h"

namespace lattice::credentials {

// Null for simple tokens, whose secret comes with the store.
// Errors: invalid_argument, saying what is wrong.
Result<std::shared_ptr<const Tokens>> make_jwt(const std::string& option);

}  // namespace lattice::credentials
