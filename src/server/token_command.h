// `lattice token ...`: asks a running server to make, list and revoke API tokens, as etcdctl asks
// it about users: with a login, a certificate or another token, where authentication is on.
//
// Thread: the caller's, which it blocks.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "tls/context.h"

namespace lattice::server {

struct TokenCommand {
  enum class Action : uint8_t { create, list, revoke };
  Action action = Action::list;
  // Whom to ask, and as whom.
  std::string endpoint;  // "host:port", with http:// or https:// in front or not
  tls::Files tls;        // one of them is enough to mean TLS
  std::string user;      // "name:password"; empty: no login
  std::string token;     // an API token of root's, instead
  std::string tenant;    // empty: the default one, or the certificate's
  // What.
  std::string name;  // create: the user; revoke: the id, or the token itself
  std::vector<std::string> roles;
  std::string comment;
  int64_t ttl_seconds = 0;  // 0: for good
  bool read_only = false;
  bool json = false;
};

// Answers the exit status; what went wrong is on `err`.
int run_token_command(const TokenCommand& command, std::ostream& out, std::ostream& err);

}  // namespace lattice::server
