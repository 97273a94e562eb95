// The log in a PostgreSQL database that several processes may share: schema `lattice`, described in
// docs/log-format.md. One store per loop and database.
//
// Connections: up to `append_connections` for appends, looks, heads and barriers, each tenant on
// the same one for as long as it is open (log-protocol P3, P6); one for the session, which never
// waits behind appends (L1); one for loads and removals; one for VACUUM and other rare work; one
// that listens and one that notifies, when they are asked for. A tenant has none of its own. All
// reconnect by themselves, to the one of several hosts that takes writes, and never to one that a
// promotion has left behind (log-protocol H3).
//
// Thread: the loop's.
// Ownership: logs, sessions and fan-outs must be destroyed before their store, the store before its
// loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backends/common/moves.h"
#include "backends/common/tenants.h"
#include "backends/postgres/pg_durability.h"
#include "backends/postgres/pg_timelines.h"
#include "base/callback.h"
#include "base/dependency.h"
#include "loop/loop.h"
#include "replica/fanout.h"
#include "replica/log.h"
#include "replica/sessions.h"

namespace lattice::backends {

struct PostgresOptions {
  std::string url;  // a libpq URI or keyword string
  PgDurability durability;
  int append_connections = 1;
  Duration statement_patience = std::chrono::seconds(10);
  // One for all stores of a process, so that what one has learnt of a promotion counts for all.
  // Null: the store has its own.
  std::shared_ptr<PgTimelines> timelines;
  // Where it reports whether the database can be reached. Null: the store has its own.
  SharedDependency database;
  // What an operator should know; on the loop. May be empty.
  std::function<void(const std::string&)> warn;
};

class PostgresStore {
 public:
  // Errors: invalid_argument for a URL that libpq does not understand. Connects nowhere yet.
  static Result<std::unique_ptr<PostgresStore>> create(loop::Loop& loop,
                                                       const PostgresOptions& options);
  ~PostgresStore();

  // Connects, and creates or migrates the schema under a lock. Tries again for as long as the
  // database cannot be reached or may not be written to (health() has the reason meanwhile). Asking
  // again, during that or afterwards, is answered with the same outcome; after a refusal it starts
  // over. Errors, final: backend_schema_newer, backend_foreign_data.
  void open(StatusCallback done);
  // ok: the store is open and its append connections are there.
  Status health() const;
  // The circuit breaker of the database is closed.
  bool reachable() const;

  // The rest requires that open() has succeeded.

  // Random at creation of the schema, never 0.
  uint64_t cluster_id() const;
  // 32 random bytes, made with the schema: by these, processes that share the database know each
  // other. Whoever may read lattice.meta has them.
  const std::string& cluster_secret() const;
  // Opens the tenant's log, creating it the first time.
  void open_log(std::string_view tenant, Callback<std::unique_ptr<replica::Log>> done);
  // A tenant that the directory has listed: asks nobody.
  std::unique_ptr<replica::Log> open_log(const TenantRow& tenant);
  void tenants(Callback<std::vector<std::string>> done);
  std::unique_ptr<TenantDirectory> directory();
  std::unique_ptr<TenantMoves> moves();
  std::unique_ptr<replica::Sessions> open_sessions();
  // NOTIFY: publish() drops what it is given and wakes those that have subscribed, at most 50 times
  // a second; a subscriber gets hints only.
  std::unique_ptr<replica::Fanout> open_fanout(const replica::LogId& log);
  // How many NOTIFYs the server has refused or never got. They are not repeated.
  uint64_t lost_notifications() const;

 private:
  struct Impl;
  explicit PostgresStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lattice::backends
