// What no event announces: every few seconds gauges are set, and changes told to the log.
// Thread: the owner's loop, which is the first worker's. Ownership: what it looks at outlives it.
#pragma once

#include <memory>

#include "server/databases.h"
#include "server/dependencies.h"
#include "server/node_links.h"
#include "server/store.h"

namespace lattice::server {

class Upkeep {
 public:
  struct Parts {
    loop::Loop& loop;
    SharedTelemetry& telemetry;
    Store& store;
    NodeLinks& links;
    Databases& tenants;
    const Dependencies& dependencies;
  };
  explicit Upkeep(const Parts& parts) : parts_(parts) {}

  // Looks now, and goes on until it is destroyed.
  void start();
  // LIN-BOUND may have opened or closed.
  void report_bound();

 private:
  void report_fan_out();

  const Parts parts_;
  bool fan_out_was_up_ = true;
  std::unique_ptr<loop::TimerHandle> timer_;
};

}  // namespace lattice::server
