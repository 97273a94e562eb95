#include "backends/postgres/postgres_store.h"

#include <algorithm>

#include "backends/common/random.h"
#include "backends/common/stored_row.h"
#include "backends/postgres/pg_append.h"
#include "backends/postgres/pg_notifier.h"
#include "backends/postgres/pg_store.h"

namespace lattice::backends {
namespace {

constexpr Duration open_retry = std::chrono::milliseconds(500);

// Settings of every connection. The planner is left one way to do each of our statements, the one
// by primary key: statistics gathered while a table was empty made it choose others, which cost 40
// to 75 % (log-protocol P2). A lock that is not there in time ends the statement with a clean
// error.
std::string session_setup(const PgDurability& durability) {
  return std::string("SET synchronous_commit = ") + synchronous_commit(durability) +
         ";"
         "SET search_path = pg_catalog; SET timezone = 'UTC'; SET client_min_messages = warning;"
         "SET default_transaction_isolation = 'read committed'; SET statement_timeout = 0;"
         "SET lock_timeout = '4s'; SET idle_in_transaction_session_timeout = '5s';"
         "SET jit = off; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;"
         "SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;";
}

bool final_refusal(Error error) {
  return error == Error::backend_schema_newer || error == Error::backend_foreign_data;
}

}  // namespace

struct PostgresStore::Impl {
  Impl(loop::Loop& loop, const PostgresOptions& options, PgConninfo conninfo)
      : timelines(options.timelines), connections(loop, options, std::move(conninfo)) {
    if (timelines == nullptr) timelines = std::make_shared<PgTimelines>();
    if (connections.options.database == nullptr) {
      connections.options.database =
          std::make_shared<Dependency>(CircuitBreaker::Options{}, nullptr);
    }
    // Planned each time, with the parameters' values: an array is hashed only if it is known then.
    connections.bulk =
        connect("bulk", "SET plan_cache_mode = force_custom_plan;", options.durability);
    connections.maintenance = connect("maintenance", "", options.durability);
  }

  std::unique_ptr<PgConnection> connect(const char* purpose, const std::string& setup,
                                        const PgDurability& durability) {
    PgConnection::Options options;
    options.application_name = std::string("lattice ") + purpose;
    options.setup = setup;
    options.durability = durability;
    return connect(std::move(options));
  }

  // Adds what all have in common.
  std::unique_ptr<PgConnection> connect(PgConnection::Options options) {
    options.setup = session_setup(options.durability) + options.setup;
    if (cluster_id != 0) options.cluster_id = cluster_id_to_text(cluster_id);
    options.timelines = timelines;
    options.warn = connections.options.warn;
    options.database = connections.options.database;
    options.others_work = [this] { return works(); };
    // One that finds a promoted standby makes the others leave the server that was there before,
    // which may be silent for long.
    options.on_ready = [this, next = std::move(options.on_ready)]() mutable {
      for (PgConnection* each : all) {
        each->leave_if_stale();
        each->try_soon();
      }
      if (next) next();
    };
    auto connection = std::make_unique<PgConnection>(connections.loop, connections.resolver,
                                                     connections.conninfo, std::move(options));
    all.push_back(connection.get());
    return connection;
  }

  // By those connections that something is always asked on; what is idle notices nothing.
  bool works() const {
    return std::ranges::any_of(connections.lanes,
                               [](const auto& each) { return each->connection->ready(); }) ||
           (connections.sessions != nullptr && connections.sessions->ready());
  }

  void try_open() {
    uint64_t fresh = 0;
    while (fresh == 0) fill_random(&fresh, sizeof(fresh));
    migration = std::make_unique<PgSchemaMigration>(*connections.bulk,
                                                    connections.conninfo.describe(), fresh);
    migration->run([this](Result<PgSchemaState> state) { opened(std::move(state)); });
  }

  void opened(Result<PgSchemaState> state) {
    last_error = state.status();
    if (!state.ok() && !final_refusal(state.error())) {
      retry = connections.loop.after(open_retry, [this] { try_open(); });
      return;
    }
    if (state.ok() && connections.bulk->server().pooled && connections.options.warn) {
      connections.options.warn(
          connections.conninfo.describe() +
          " is behind a pooler; it must give each connection a session of its own. Past one in "
          "transaction mode set direct_url");
    }
    if (state.ok()) {
      cluster_secret = state->secret;
      start(state->cluster_id);
    }
    std::vector<StatusCallback> waiting;
    waiting.swap(opening);
    const std::weak_ptr<bool> weak = alive;
    for (StatusCallback& done : waiting) {
      done(state.status());
      if (weak.expired()) return;
    }
  }

  void start(uint64_t id) {
    cluster_id = id;
    const PgDurability& durability = connections.options.durability;
    connections.add_lane = [this] { add_lane(); };
    add_lane();
    // Sessions are durable even where appends are not (L2), and never wait long for anything.
    PgDurability always = durability;
    if (always.mode == PgDurabilityMode::async) always.mode = PgDurabilityMode::sync;
    connections.sessions = connect("session", "SET statement_timeout = '5s';", always);
    notifier = std::make_unique<PgNotifier>(
        connections.loop,
        [this](PgConnection::Options options) { return connect(std::move(options)); });
  }

  void add_lane() {
    auto lane = std::make_unique<PgAppendLane>();
    lane->connection = connect("append", append_setup(), connections.options.durability);
    lane->connection->start();
    lane->heads = std::make_unique<PgHeads>(connections.loop, *lane->connection,
                                            connections.options.statement_patience);
    connections.lanes.push_back(std::move(lane));
  }

  std::shared_ptr<PgTimelines> timelines;
  std::vector<PgConnection*> all;
  PgConnections connections;
  std::unique_ptr<PgNotifier> notifier;
  uint64_t cluster_id = 0;
  std::string cluster_secret;
  Status last_error = Status(Error::backend_unavailable, "not opened yet");
  std::vector<StatusCallback> opening;  // waiting for the attempts that are going on
  std::unique_ptr<PgSchemaMigration> migration;
  std::unique_ptr<loop::TimerHandle> retry;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);

  // ---- The list of logs ----
  void find_log(std::string tenant, int attempts, Callback<std::unique_ptr<replica::Log>> done);
  void create_log(std::string tenant, int attempts, Callback<std::unique_ptr<replica::Log>> done);
};

PgAppendLane& PgConnections::take_lane() {
  const auto fewest = [this]() -> PgAppendLane& {
    return **std::ranges::min_element(lanes, {}, [](const auto& lane) { return lane->logs; });
  };
  if (fewest().logs > 0 && std::ssize(lanes) < options.append_connections) add_lane();
  PgAppendLane& lane = fewest();
  ++lane.logs;
  return lane;
}

PostgresStore::PostgresStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PostgresStore::~PostgresStore() = default;

Result<std::unique_ptr<PostgresStore>> PostgresStore::create(loop::Loop& loop,
                                                             const PostgresOptions& options) {
  auto conninfo = PgConninfo::parse(options.url);
  if (!conninfo.ok()) return conninfo.status();
  return std::unique_ptr<PostgresStore>(
      new PostgresStore(std::make_unique<Impl>(loop, options, std::move(*conninfo))));
}

void PostgresStore::open(StatusCallback done) {
  if (impl_->cluster_id != 0) {
    impl_->connections.loop.defer(
        [weak = std::weak_ptr<bool>(impl_->alive), done = std::move(done)]() mutable {
          if (!weak.expired()) done(Status());
        });
    return;
  }
  impl_->opening.push_back(std::move(done));
  if (impl_->opening.size() == 1) impl_->try_open();
}

Status PostgresStore::health() const {
  if (!impl_->last_error.ok()) return impl_->last_error;
  // The first: one that was added for more tenants may be connecting for the first time.
  if (impl_->connections.lanes.empty()) return {};
  const PgConnection& connection = *impl_->connections.lanes.front()->connection;
  if (connection.ready()) return {};
  return connection.last_error().ok()
             ? Status(Error::backend_unavailable, "connecting to PostgreSQL")
             : connection.last_error();
}

bool PostgresStore::reachable() const { return impl_->connections.reachable(); }

uint64_t PostgresStore::cluster_id() const { return impl_->cluster_id; }

const std::string& PostgresStore::cluster_secret() const { return impl_->cluster_secret; }

void PostgresStore::Impl::find_log(std::string tenant, int attempts,
                                   Callback<std::unique_ptr<replica::Log>> done) {
  PgCommand command;
  // What a move has left here is no reason to begin anew with nothing.
  command.text =
      "SELECT log_no, log_id, state, other_backend FROM lattice.logs WHERE tenant = $1::text"
      " OR (state = 'moved' AND tenant = '~'::text || log_no::text || '~'::text || $1::text)"
      " ORDER BY state = 'moved' LIMIT 1";
  command.params.add_text(tenant);
  command.done = [this, weak = std::weak_ptr<bool>(alive), tenant = std::move(tenant), attempts,
                  done = std::move(done)](PgReply reply) mutable {
    if (weak.expired()) return;
    replica::LogId id;
    if (!reply.done()) {
      done(std::move(reply.status));
    } else if (reply.result.rows() == 0 && attempts > 0) {
      create_log(std::move(tenant), attempts - 1, std::move(done));
    } else if (reply.result.rows() == 1 && reply.result.bytes(0, 2) == "moved") {
      done(Status(Error::backend_foreign_data, "tenant \"" + tenant + "\" was moved to backend \"" +
                                                   std::string(reply.result.bytes(0, 3)) + "\""));
    } else if (reply.result.rows() != 1 || !copy_exactly(reply.result.bytes(0, 1), &id)) {
      done(Status(Error::backend_corrupt, "lattice.logs: no usable row for this tenant"));
    } else {
      done(make_postgres_log(connections, static_cast<int32_t>(reply.result.integer(0, 0)), id));
    }
  };
  connections.bulk->execute(std::move(command));
}

void PostgresStore::Impl::create_log(std::string tenant, int attempts,
                                     Callback<std::unique_ptr<replica::Log>> done) {
  replica::LogId id;
  fill_random(id.data(), id.size());
  PgCommand command;
  // Somebody else may take the number or create the log: then the next look finds out.
  command.text = std::string("WITH") + bumped_sql +
                 " INSERT INTO lattice.logs (log_no, tenant, log_id)"
                 " SELECT coalesce(max(log_no), 0) + 1, $1::text, $2::bytea FROM lattice.logs"
                 " ON CONFLICT DO NOTHING";
  command.params.add_text(tenant);
  command.params.add_bytes(bytes_of(id));
  command.done = [this, weak = std::weak_ptr<bool>(alive), tenant = std::move(tenant), attempts,
                  done = std::move(done)](PgReply reply) mutable {
    if (weak.expired()) return;
    if (!reply.done()) {
      done(std::move(reply.status));
    } else {
      find_log(std::move(tenant), attempts, std::move(done));
    }
  };
  connections.bulk->execute(std::move(command));
}

void PostgresStore::open_log(std::string_view tenant,
                             Callback<std::unique_ptr<replica::Log>> done) {
  constexpr int create_attempts = 10;
  impl_->find_log(std::string(tenant), create_attempts, std::move(done));
}

std::unique_ptr<replica::Log> PostgresStore::open_log(const TenantRow& tenant) {
  return make_postgres_log(impl_->connections, static_cast<int32_t>(tenant.log_no), tenant.log_id);
}

std::unique_ptr<TenantDirectory> PostgresStore::directory() {
  return make_postgres_tenants(impl_->connections);
}

std::unique_ptr<TenantMoves> PostgresStore::moves() {
  return make_postgres_moves(impl_->connections);
}

void PostgresStore::tenants(Callback<std::vector<std::string>> done) {
  PgCommand command;
  command.text = "SELECT tenant FROM lattice.logs WHERE state = 'active' ORDER BY tenant";
  command.done = [weak = std::weak_ptr<bool>(impl_->alive),
                  done = std::move(done)](PgReply reply) mutable {
    if (weak.expired()) return;
    if (!reply.done()) {
      done(std::move(reply.status));
      return;
    }
    std::vector<std::string> names;
    names.reserve(static_cast<size_t>(reply.result.rows()));
    for (int i = 0; i < reply.result.rows(); ++i) names.emplace_back(reply.result.bytes(i, 0));
    done(std::move(names));
  };
  impl_->connections.bulk->execute(std::move(command));
}

std::unique_ptr<replica::Fanout> PostgresStore::open_fanout(const replica::LogId& log) {
  return impl_->notifier->open(log);
}

uint64_t PostgresStore::lost_notifications() const {
  return impl_->notifier == nullptr ? 0 : impl_->notifier->lost();
}

std::unique_ptr<replica::Sessions> PostgresStore::open_sessions() {
  return make_postgres_sessions(impl_->connections);
}

}  // namespace lattice::backends
