// Gives the hosts of a connection string their addresses, without blocking the loop.
// Thread: resolve() on the loop; the answer comes there. After destruction none comes.
#pragma once

#include <string>
#include <vector>

#include "base/callback.h"
#include "loop/name_resolver.h"

namespace lattice::backends {

struct Host {
  std::string host;     // as written: for TLS names and messages; a path is a Unix socket
  std::string address;  // numeric, once resolved or given; empty for a Unix socket
  std::string port;

  bool operator==(const Host&) const = default;
};

// True for a name that only DNS (or /etc/hosts) knows.
bool needs_resolution(const Host& host);

class Resolver {
 public:
  explicit Resolver(loop::Loop& loop) : names_(loop, "db-resolve") {}

  // The hosts with an address each; a name with several addresses becomes several hosts, in the
  // resolver's order. A name that does not resolve is left out.
  // Errors: backend_unavailable when none is left.
  void resolve(std::vector<Host> hosts, Callback<std::vector<Host>> done);

 private:
  loop::NameResolver names_;
};

}  // namespace lattice::backends
