// Looks host names up on a thread of its own, because getaddrinfo blocks for as long as DNS does.
// Thread: resolve() on the loop; the answer is posted there. Destroying it waits for the look-up
//   that is running, if any; no answer comes after that.
#pragma once

#include <string>
#include <vector>

#include "base/callback.h"
#include "loop/side_thread.h"

namespace lattice::loop {

class NameResolver {
 public:
  // `thread_name`: as tools show it, at most 15 characters.
  explicit NameResolver(Loop& loop, std::string thread_name = "resolve");

  // The numeric addresses of each of `hosts`, in the resolver's order. A name that does not resolve
  // has none. Errors: backend_unavailable when no name resolves, with the reason.
  using Addresses = std::vector<std::vector<std::string>>;
  void resolve(std::vector<std::string> hosts, Callback<Addresses> done);

 private:
  SideThread side_;
};

}  // namespace lattice::loop
