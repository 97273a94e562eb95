// `lattice healthcheck`: asks a running server how it is, over plain HTTP, for a container engine
// that has no shell and no curl to ask with.
//
// Thread: the caller's, which it blocks, for some seconds at most.
#pragma once

#include <iosfwd>
#include <string>

namespace lattice::server {

struct HealthCommand {
  std::string address;  // "host:port", of a port that speaks plaintext
  std::string path;     // "/readyz"
};

// 0 when the answer is 200, else 1 (container engines reserve 2); why is on `err`.
int run_health_command(const HealthCommand& command, std::ostream& out, std::ostream& err);

}  // namespace lattice::server
