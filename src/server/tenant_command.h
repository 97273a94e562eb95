// `lattice tenant ...`: looks at the list of tenants and changes it, in the store itself. Running
// servers follow it within a second; what is between their start and end does not matter.
//
// Thread: the caller's, which it blocks.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"

namespace lattice::server {

struct TenantCommand {
  enum class Action : uint8_t { create, list, show, limit, remove, move };
  Action action = Action::list;
  std::string name;
  // By name; nullopt: as the configuration says again.
  std::map<std::string, std::optional<int64_t>> limits;
  bool json = false;
  // create: where; move: where to. config::default_backend, or one of [backends].
  std::string backend;
  // move: or which nodes are to serve it, and which of them leads; empty: as before.
  std::vector<std::string> nodes;
  std::string leader;
  bool dry_run = false;   // move to nodes: say what would be written
  bool wait = true;       // move to nodes: until they know it
  bool abort = false;     // move: give up the one that was begun
  bool progress = false;  // move: tell how it goes, on `err`
};

// Answers the exit status; what went wrong is on `err`.
int run_tenant_command(const config::Config& config, const TenantCommand& command,
                       std::ostream& out, std::ostream& err);

}  // namespace lattice::server
