// Unary calls: a fixed number in flight, each answer followed by the next request; or, with a rate,
// requests when they are due. Thread: the loader's only thread. Ownership: borrows everything it is
// given.
#pragma once

#include <memory>
#include <vector>

#include "load/client.h"
#include "load/meter.h"
#include "load/options.h"
#include "load/workload.h"

namespace lattice::load {

class UnaryLoad {
 public:
  UnaryLoad(Client& client, Workload& workload, Meter& meter, const Options& options);
  ~UnaryLoad();

  // Runs to the end of the time, the total or the workload, and until the last answer. False when
  // the server was lost; the client knows why.
  bool run();

 private:
  class Slot;
  friend class Slot;

  void start_next(Slot& slot);
  void start_what_is_due(uint64_t now);
  void start_first();
  bool turn_of_time();

  Client& client_;
  Workload& workload_;
  Meter& meter_;
  const Options& options_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> idle_;  // with a rate; without one, those that have not been used yet
  bool full_ = false;        // every slot was taken when a request was due
  uint64_t start_ns_ = 0;
  uint64_t started_ = 0;
  size_t in_flight_ = 0;
  bool stopping_ = false;
};

}  // namespace lattice::load
