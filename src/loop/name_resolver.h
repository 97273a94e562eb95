// Looks host names up on a thread of its own, because getaddrinfo blocks for as long as DNS does.
// Thread: resolve() on the loop; the answer is posted there. Destroying it waits for the look-up
//   that is running, if any; no answer comes after that.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/callback.h"
#include "loop/loop.h"

namespace lattice::loop {

class NameResolver {
 public:
  // `thread_name`: as tools show it, at most 15 characters.
  explicit NameResolver(Loop& loop, std::string thread_name = "resolve");
  ~NameResolver();
  NameResolver(const NameResolver&) = delete;
  NameResolver& operator=(const NameResolver&) = delete;

  // The numeric addresses of each of `hosts`, in the resolver's order. A name that does not resolve
  // has none. Errors: backend_unavailable when no name resolves, with the reason.
  using Addresses = std::vector<std::vector<std::string>>;
  void resolve(std::vector<std::string> hosts, Callback<Addresses> done);

 private:
  struct Request {
    std::vector<std::string> hosts;
    Callback<Addresses> done;
  };
  void main();

  Loop& loop_;
  const std::string thread_name_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // the loop's thread only
  std::mutex mutex_;
  std::condition_variable wake_;
  // Under mutex_.
  std::deque<Request> requests_;
  bool stopping_ = false;
  std::thread thread_;  // started by the first request
};

}  // namespace lattice::loop
