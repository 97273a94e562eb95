// The database that keeps the tenants' logs, whichever kind is configured.
// Thread: the loop that it was opened for.
// Ownership: must outlive the logs and sessions that it gave.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "backends/common/moves.h"
#include "backends/common/tenants.h"
#include "backends/sqlite/sqlite_store.h"
#include "base/callback.h"
#include "config/config.h"
#include "loop/loop.h"
#include "replica/environment.h"
#include "replica/fanout.h"
#include "replica/log.h"
#include "replica/sessions.h"
#include "server/dependencies.h"
#include "telemetry/logger.h"

namespace lattice::server {

struct OpenedLog {
  std::unique_ptr<replica::Log> log;
  replica::Sessions* sessions = nullptr;  // null where the log is this process's alone
  uint64_t cluster_id = 0;
  // What the database keeps for the nodes that share it; empty where nobody shares it.
  std::string cluster_secret;
  // The database's own way to wake the others up; null where there is none.
  std::unique_ptr<replica::Fanout> fanout;
};

class Store {
 public:
  virtual ~Store() = default;
  // Waits for a database that cannot be reached; errors are final. Not inside the call.
  virtual void open(StatusCallback done) = 0;
  // Likewise, then opens the tenant's log. Creates the log the first time. Not inside the call.
  virtual void open_log(std::string_view tenant, Callback<OpenedLog> done) = 0;
  // The log of a tenant that the directory has listed. Requires: open() or open_log() has
  // succeeded.
  virtual OpenedLog open_listed(const backends::TenantRow& tenant) = 0;
  // The list of tenants. Requires: likewise.
  virtual backends::TenantDirectory& directory() = 0;
  // What tenants need that move from or to here; null where none can. Requires: likewise.
  virtual backends::TenantMoves* moves() { return nullptr; }
  // What all of its logs have in common, without one. Requires: likewise.
  virtual OpenedLog without_log() { return {}; }
  // Why the database cannot be worked with now, if so.
  virtual Status health() const { return {}; }
  // The same when it has been so repeatedly: nothing is begun that needs it.
  virtual Status reachable() const { return {}; }
};

// What every kind needs to know of this process.
struct StoreSurroundings {
  loop::Loop& loop;
  replica::Environment& environment;
  telemetry::Logger& log;
  Dependencies dependencies = {};
};
// Errors: those of the embedded store. A PostgreSQL store opens its connections in open_log().
Result<std::unique_ptr<Store>> open_store(const config::Config& config,
                                          const StoreSurroundings& surroundings);

// Where and how the embedded store keeps its file.
backends::SqliteOptions sqlite_options(const config::Config& config);

}  // namespace lattice::server
