// Signals as events of a loop. SIGPIPE is ignored: a peer that left is an error of its socket.
// Thread: made before any other thread exists, so that all inherit the mask; used on the loop's.
#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "loop/loop.h"

namespace lattice::server {

class Signals {
 public:
  // From now on SIGTERM, SIGINT and SIGHUP wait to be read instead of acting; for good, since one
  // that arrives after the end has nothing left to stop.
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  // Calls back with the signal's number.
  void watch(loop::Loop& loop, absl::AnyInvocable<void(int)> callback);
  // Requires: before the loop of watch() goes.
  void stop_watching() { watch_.reset(); }

 private:
  int fd_ = -1;
  std::unique_ptr<loop::FdWatch> watch_;
};

}  // namespace lattice::server
