// Looks host names up on a thread of its own, because getaddrinfo blocks for as long as DNS does.
// Thread: resolve() on the loop; the answer is posted there. Destroying it waits for the look-up
//   that is running, if any, and drops the rest.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "backends/postgres/pg_conninfo.h"
#include "base/callback.h"
#include "loop/loop.h"

namespace lattice::backends {

class PgResolver {
 public:
  explicit PgResolver(loop::Loop& loop) : loop_(loop) {}
  ~PgResolver();

  // The hosts with an address each; a name with several addresses becomes several hosts, in the
  // resolver's order. A name that does not resolve is left out.
  // Errors: backend_unavailable when none is left.
  void resolve(std::vector<PgHost> hosts, Callback<std::vector<PgHost>> done);

 private:
  struct Request {
    std::vector<PgHost> hosts;
    Callback<std::vector<PgHost>> done;
  };
  void main();

  loop::Loop& loop_;
  std::mutex mutex_;
  std::condition_variable wake_;
  // Under mutex_.
  std::deque<Request> requests_;
  bool stopping_ = false;
  std::thread thread_;  // started by the first request
};

}  // namespace lattice::backends
