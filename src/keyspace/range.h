// Range reads over a State, for stand-alone reads and for those inside transactions.
#pragma once

#include "keyspace/state.h"

namespace lattice::keyspace {

// Answers as if `current` were the newest revision. Requires: validate(request) passed; `current`
// is the visible revision or that of the transaction that reads.
// `place`: where the single key that is asked for was located, if it was.
// Errors: compacted, future_revision.
Result<RangeResult> read_range(const State& state, const RangeRequest& request, Revision current,
                               const KeyHistory* place = nullptr);

}  // namespace lattice::keyspace
