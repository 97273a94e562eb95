// Keep-alives under load: grants leases, then renews them over several streams, one renewal in
// flight on each. Thread: the loader's only thread. Ownership: borrows everything it is given.
#pragma once

#include <memory>
#include <vector>

#include "load/client.h"
#include "load/meter.h"
#include "load/options.h"

namespace lattice::load {

class LeaseLoad {
 public:
  LeaseLoad(Client& client, Meter& meter, const Options& options);
  ~LeaseLoad();

  // Leaves no lease behind. False when the server was lost; the client knows why.
  bool run();

 private:
  class Stream;
  friend class Stream;

  bool for_each_lease(std::string_view path, void (*encode)(std::string&, int64_t));

  Client& client_;
  Meter& meter_;
  const Options& options_;
  std::vector<std::unique_ptr<Stream>> streams_;
  size_t in_flight_ = 0;
  bool stopping_ = false;
};

}  // namespace lattice::load
