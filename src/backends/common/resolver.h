// Looks host names up on a thread of its own, because getaddrinfo blocks for as long as DNS does.
// Thread: resolve() on the loop; the answer is posted there. Destroying it waits for the look-up
//   that is running, if any, and drops the rest.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/callback.h"
#include "loop/loop.h"

namespace lattice::backends {

struct Host {
  std::string host;     // as written: for TLS names and messages; a path is a Unix socket
  std::string address;  // numeric, once resolved or given; empty for a Unix socket
  std::string port;

  bool operator==(const Host&) const = default;
};

// True for a name that only DNS (or /etc/hosts) knows.
bool needs_resolution(const Host& host);

class Resolver {
 public:
  explicit Resolver(loop::Loop& loop) : loop_(loop) {}
  ~Resolver();

  // The hosts with an address each; a name with several addresses becomes several hosts, in the
  // resolver's order. A name that does not resolve is left out.
  // Errors: backend_unavailable when none is left.
  void resolve(std::vector<Host> hosts, Callback<std::vector<Host>> done);

 private:
  struct Request {
    std::vector<Host> hosts;
    Callback<std::vector<Host>> done;
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
