// `lattice status`: asks a running server how it does, and shows that as a table.
// Thread: the caller's, which it blocks.
#pragma once

#include <iosfwd>
#include <string>

#include "tls/context.h"

namespace lattice::server {

struct StatusCommand {
  std::string endpoint;  // of a metrics port, or of a client port, which tells less
  tls::Files tls;
  bool json = false;
};

// Answers the exit status; what went wrong is on `err`.
int run_status_command(const StatusCommand& command, std::ostream& out, std::ostream& err);

}  // namespace lattice::server
