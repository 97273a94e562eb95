// What a PostgresStore, its logs and its sessions share.
// Thread: the loop's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/common/schema.h"
#include "backends/postgres/pg_connection.h"
#include "backends/postgres/pg_heads.h"
#include "backends/postgres/pg_schema.h"
#include "backends/postgres/postgres_store.h"

namespace lattice::backends {

struct PgConnections {
  loop::Loop& loop;
  PostgresOptions options;
  PgConninfo conninfo;
  Resolver resolver;
  std::vector<std::unique_ptr<PgConnection>> appends;  // once the schema is there
  std::vector<std::unique_ptr<PgHeads>> heads;         // one for each of them
  std::unique_ptr<PgConnection> sessions;
  std::unique_ptr<PgConnection> bulk;         // loads, removals; brings the schema up to date
  std::unique_ptr<PgConnection> maintenance;  // VACUUM, ending a blocker

  PgConnections(loop::Loop& owner, PostgresOptions chosen, PgConninfo where)
      : loop(owner), options(std::move(chosen)), conninfo(std::move(where)), resolver(owner) {}

  bool reachable() const { return options.database->closed(); }
};

std::unique_ptr<replica::Log> make_postgres_log(PgConnections& connections, int32_t log_no,
                                                const replica::LogId& id);
std::unique_ptr<replica::Sessions> make_postgres_sessions(PgConnections& connections);
std::unique_ptr<TenantDirectory> make_postgres_tenants(PgConnections& connections);

}  // namespace lattice::backends
