// The batches that say who leads a log, and the one that ends it (log-protocol L4, H4).
//
// Thread: the replica's loop. Pure but for the randomness of the State that is handed in.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "replica/state.h"

namespace lattice::replica {

// Where a log went that has ended: its tenant was moved to another database. Nothing follows it.
struct Seal {
  std::string target;  // the database's name in the configuration
  int64_t routing_epoch = 0;

  bool operator==(const Seal&) const = default;
};

// Behind `tip`, as its successor in the chain: a takeover by `incarnation`, all zeroes for nobody.
// Its digest is still to be computed.
std::shared_ptr<Batch> make_takeover(State& state, const BatchHeader& tip,
                                     const Incarnation& incarnation);
// Likewise, with its digest: nobody leads any more, and the log ends. The final position is that of
// `tip`.
std::shared_ptr<const Batch> make_seal(State& state, const BatchHeader& tip, const Seal& seal);
// The seal among the records of a batch.
std::optional<Seal> find_seal(const std::vector<keyspace::Record>& records);

}  // namespace lattice::replica
