// Gives the hosts of a connection string their addresses, without blocking the loop.
// Thread: resolve() on the loop; the answer comes there. After destruction none comes.
#pragma once

#include <vector>

#include "backends/postgres/pg_conninfo.h"
#include "base/callback.h"
#include "loop/name_resolver.h"

namespace lattice::backends {

class PgResolver {
 public:
  explicit PgResolver(loop::Loop& loop) : names_(loop, "pg-resolve") {}

  // The hosts with an address each; a name with several addresses becomes several hosts, in the
  // resolver's order. A name that does not resolve is left out.
  // Errors: backend_unavailable when none is left.
  void resolve(std::vector<PgHost> hosts, Callback<std::vector<PgHost>> done);

 private:
  loop::NameResolver names_;
};

}  // namespace lattice::backends
