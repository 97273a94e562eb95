// Where Redis is and how to get in, as one URL:
//   redis://[user[:password]@]host[:port][/db]
//   redis+sentinel://[user[:password]@]host[:port][,host[:port]...]/master[?sentinel_password=...]
// rediss:// and rediss+sentinel:// are the same with TLS, to the Sentinels too. User and password
// are the servers'; Sentinels have their own. Parts may be percent-encoded. A database number is
// accepted and means nothing: channels belong to the whole server.
//
// Thread: values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backends/common/resolver.h"
#include "base/status.h"

namespace lattice::backends {

struct RedisLogin {
  std::string user;  // empty: the default one
  std::string password;

  bool given() const { return !user.empty() || !password.empty(); }
};

struct RedisUrl {
  std::vector<Host> hosts;  // the server, or the Sentinels; each with its port
  bool tls = false;
  std::string master;  // what the Sentinels call it; empty: no Sentinels
  RedisLogin login;
  RedisLogin sentinel_login;

  bool by_sentinel() const { return !master.empty(); }
  // For people, without anything secret: "cache.example:6379", "master main of s1:26379,s2:26379".
  std::string describe() const;
  // Errors: invalid_argument, saying what would be valid. It quotes nothing: anything may turn out
  // to be a piece of the password.
  static Result<RedisUrl> parse(std::string_view text);
};

// "cache.example:6379", "[::1]:6379".
std::string describe(const Host& host);

}  // namespace lattice::backends
