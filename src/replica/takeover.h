// The batches by which leadership of a log changes: a takeover (log-protocol L4), with it the jump
// behind a history that was lost (H3), and the seal that ends a log (H4).
// Thread: any. Pure, but for the randomness of a State that is handed in.
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

// Behind `tip`, as its successor in the chain, at `revision`: a takeover by `incarnation` (all
// zeroes: nobody leads then) on this server. Its digest is still to be computed.
std::shared_ptr<Batch> make_takeover(const BatchHeader& tip, Revision revision,
                                     const Incarnation& incarnation, const LogServer& server,
                                     const BatchId& id);

// Likewise, by what the replica of `state` knows.
std::shared_ptr<Batch> make_takeover(State& state, const BatchHeader& tip,
                                     const Incarnation& incarnation);

// Makes a takeover jump: the revision goes beyond all that was ever acknowledged, which may be up
// to `acknowledged`, and everything below counts as compacted. `lost` is the position that is no
// longer in the chain, where one is known. Answers the new revision. Requires: no digest yet.
Revision add_jump(Batch* takeover, Revision acknowledged, const std::optional<Position>& lost);

// Likewise, with its digest: nobody leads any more, and the log ends. The final position is that of
// `tip`.
std::shared_ptr<const Batch> make_seal(State& state, const BatchHeader& tip, const Seal& seal);
// The seal among the records of a batch.
std::optional<Seal> find_seal(const std::vector<keyspace::Record>& records);

}  // namespace lattice::replica
