// What a PostgresStore, its logs and its sessions share.
// Thread: the loop's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "backends/common/moves.h"
#include "backends/common/schema.h"
#include "backends/postgres/pg_connection.h"
#include "backends/postgres/pg_heads.h"
#include "backends/postgres/pg_schema.h"
#include "backends/postgres/postgres_store.h"

namespace lattice::backends {

// One that carries appends, for some of the logs that are open.
struct PgAppendLane {
  std::unique_ptr<PgConnection> connection;
  std::unique_ptr<PgHeads> heads;
  int logs = 0;
};

struct PgConnections {
  loop::Loop& loop;
  PostgresOptions options;
  PgConninfo conninfo;
  Resolver resolver;
  // Once the schema is there. Up to options.append_connections of them, added as logs are opened.
  std::vector<std::unique_ptr<PgAppendLane>> lanes;
  absl::AnyInvocable<void()> add_lane;
  std::unique_ptr<PgConnection> sessions;
  std::unique_ptr<PgConnection> bulk;         // loads, removals; brings the schema up to date
  std::unique_ptr<PgConnection> maintenance;  // VACUUM, ending a blocker

  PgConnections(loop::Loop& owner, PostgresOptions chosen, PgConninfo where)
      : loop(owner), options(std::move(chosen)), conninfo(std::move(where)), resolver(owner) {}

  // For one more log, until that gives it back: the lane with the fewest, for appends on one lane
  // wait for each other. Two tenants that shared one waited for the commits of both: 15.6 ms in the
  // median beside a greedy writer where it is 3.1 with lanes of their own.
  PgAppendLane& take_lane();
  bool reachable() const { return options.database->closed(); }
};

// The part of a statement behind which every process reads the list of tenants again.
inline constexpr const char* bumped_sql =
    " bumped AS (INSERT INTO lattice.meta VALUES ('tenants_version', '1') ON CONFLICT (key)"
    " DO UPDATE SET value = (lattice.meta.value::int8 + 1)::text)";

std::unique_ptr<replica::Log> make_postgres_log(PgConnections& connections, int32_t log_no,
                                                const replica::LogId& id);
std::unique_ptr<replica::Sessions> make_postgres_sessions(PgConnections& connections);
std::unique_ptr<TenantDirectory> make_postgres_tenants(PgConnections& connections);
std::unique_ptr<TenantMoves> make_postgres_moves(PgConnections& connections);

}  // namespace lattice::backends
