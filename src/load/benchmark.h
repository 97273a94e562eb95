// `lattice benchmark`: loads running servers of the etcd v3 API, checks what they answer, and tells
// what that took. It puts keys of its own below a prefix and deletes them in the end.
//
// Thread: the caller's, which it blocks.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "load/options.h"

namespace lattice::load {

struct BenchmarkRequest {
  enum class Action { put, get, watch, mixed };
  Action action = Action::put;
  std::vector<std::string> endpoints;  // "host:port", with http:// or https:// in front or not
  std::string user;                    // "name:password"; empty: no login
  std::string token;                   // an API token, instead
  size_t key_size = 0;                 // 0: as long as the prefix and a number need
  bool keep = false;                   // the keys
  bool json = false;
  // Everything else; the mode, the host, the ports and the metadata follow from the above.
  Options options;
};

// Answers the exit status. The result goes to `out`; to `err` what went wrong and, on a terminal, a
// line of progress.
int run_benchmark(const BenchmarkRequest& request, std::ostream& out, std::ostream& err);

}  // namespace lattice::load
