// What must hold, beside the replica's own fence, before anything is answered that claims to be of
// the present (LIN-BOUND). While it does not, linearizable reads, read-only transactions and
// watches from "now" are refused at once; writes, serializable reads and running watches go on.
// Thread: the replica's loop. Ownership: outlives the replicas that ask it.
#pragma once

#include <string_view>

#include "base/status.h"
#include "base/time.h"

namespace lattice::replica {

class LinearBound {
 public:
  virtual ~LinearBound() = default;
  // Errors: linearizability_unavailable, with the reason.
  virtual Status check(Instant now) const = 0;
  // The same, with what concerns this tenant alone.
  virtual Status check_tenant(std::string_view tenant, Instant now) const {
    (void)tenant;
    return check(now);
  }
};

}  // namespace lattice::replica
