// The batches by which leadership of a log changes: a takeover (log-protocol L4), and with it the
// jump behind a history that was lost (H3).
// Thread: pure functions.
#pragma once

#include <memory>
#include <optional>

#include "replica/batch.h"
#include "replica/log.h"

namespace lattice::replica {

// Behind `tip`, as its successor in the chain, at `revision`: a takeover by `incarnation` (all
// zeroes: nobody leads then) on this server. Its digest is still to be computed.
std::shared_ptr<Batch> make_takeover_batch(const BatchHeader& tip, Revision revision,
                                           const Incarnation& incarnation, const LogServer& server,
                                           const BatchId& id);

// Makes a takeover jump: the revision goes beyond all that was ever acknowledged, which may be up
// to `acknowledged`, and everything below counts as compacted. `lost` is the position that is no
// longer in the chain, where one is known. Answers the new revision. Requires: no digest yet.
Revision add_jump(Batch* takeover, Revision acknowledged, const std::optional<Position>& lost);

}  // namespace lattice::replica
