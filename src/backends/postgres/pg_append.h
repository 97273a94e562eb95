// The statement that appends a batch (log-protocol P2): its text, its parameters, and what its
// outcome says about the batch. Thread: values.
#pragma once

#include "backends/postgres/pg_connection.h"
#include "replica/log.h"

namespace lattice::backends {

// What an append connection runs first, so that it has `lattice_append` prepared.
std::string append_setup();

// The parameters of `lattice_append`.
PgParams append_params(int32_t log_no, const replica::Batch& batch);

replica::AppendReply append_verdict(PgReply reply);

}  // namespace lattice::backends
