// PostgreSQL's errors as Status, and what they say about a commit (log-protocol P4).
#pragma once

#include <libpq-fe.h>

#include <string>

#include "base/status.h"

namespace lattice::backends {

struct PgError {
  Status status;
  std::string sqlstate;
  // An ERROR that the server reported itself, of a class that settles the statement: followed by
  // ReadyForQuery it means that nothing was changed.
  bool clean = false;
};

PgError read_error(const PGresult* result);
// backend_unavailable, with what libpq last said about this connection.
Status connection_error(const PGconn* connection);

}  // namespace lattice::backends
