// The list of tenants (backends/common/tenants.h) in PostgreSQL.
#include <cstdlib>

#include "backends/common/random.h"
#include "backends/common/stored_row.h"
#include "backends/postgres/pg_statements.h"
#include "backends/postgres/pg_store.h"

namespace lattice::backends {
namespace {

constexpr int create_attempts = 10;

Status unknown(const std::string& name) {
  return Status(Error::tenant_unknown, "there is no tenant \"" + name + "\"");
}

class PgTenants final : public TenantDirectory {
 public:
  explicit PgTenants(PgConnections& connections) : connections_(connections) {}

  void version(Callback<int64_t> done) override {
    run("SELECT coalesce((SELECT value FROM lattice.meta WHERE key = 'tenants_version'),"
        " '0')::int8",
        {}, [done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) return done(std::move(reply.status));
          done(reply.result.integer(0, 0));
        });
  }

  void list(Callback<TenantList> done) override {
    // One statement, one snapshot: the version is that of the list.
    run("SELECT coalesce((SELECT value FROM lattice.meta WHERE key = 'tenants_version'),"
        " '0')::int8, tenant, log_no, log_id, state, limits,"
        " to_char(created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), other_backend, routing_epoch"
        " FROM (SELECT 1) always LEFT JOIN lattice.logs ON state <> 'removed' ORDER BY tenant",
        {}, [done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) return done(std::move(reply.status));
          done(list_of(reply.result));
        });
  }

  void create(const std::string& name, const TenantLimitValues& limits,
              StatusCallback done) override {
    try_create(name, limits_to_text(limits), create_attempts, std::move(done));
  }

  void set_limits(const std::string& name, const TenantLimitValues& limits,
                  StatusCallback done) override {
    PgParams params;
    params.add_text(name);
    params.add_text(limits_to_text(limits));
    change(
        "UPDATE lattice.logs SET limits = $2::text"
        " WHERE tenant = $1::text AND state = 'active' RETURNING 1",
        std::move(params), name, std::move(done));
  }

  void remove(const std::string& name, StatusCallback done) override {
    PgParams params;
    params.add_text(name);
    change(
        "UPDATE lattice.logs SET state = 'removing',"
        " tenant = '~'::text || log_no::text || '~'::text || tenant"
        " WHERE tenant = $1::text AND state IN ('active', 'arriving') RETURNING 1",
        std::move(params), name, std::move(done));
  }

  void sweep(int64_t log_no, Callback<bool> done) override {
    // Records first; a header without its records would not be told from a compacted batch.
    sweep_some(log_no,
               "DELETE FROM lattice.record WHERE log_no = $1::int4 AND ctid = ANY (ARRAY("
               " SELECT r.ctid FROM lattice.record r WHERE r.log_no = $1::int4 LIMIT 5000))"
               " AND EXISTS (SELECT 1 FROM lattice.logs WHERE log_no = $1::int4"
               " AND state IN ('removing', 'moved')) RETURNING 1",
               [this, log_no, done = std::move(done)](Result<bool> more) mutable {
                 if (!more.ok() || *more) return done(std::move(more));
                 sweep_headers(log_no, std::move(done));
               });
  }

 private:
  static Result<TenantList> list_of(const PgResult& result) {
    TenantList list;
    list.version = result.integer(0, 0);
    for (int i = 0; i < result.rows(); ++i) {
      TenantRow row;
      row.name = result.bytes(i, 1);
      if (row.name.empty()) continue;  // there are none at all
      row.log_no = result.integer(i, 2);
      if (!copy_exactly(result.bytes(i, 3), &row.log_id)) {
        return Status(Error::backend_corrupt,
                      "lattice.logs: a log id of the wrong size: tenant " + row.name);
      }
      row.state = state_from_text(result.bytes(i, 4));
      row.limits = limits_from_text(result.bytes(i, 5)).value_or(TenantLimitValues());
      row.created_at = result.bytes(i, 6);
      row.other_backend = result.bytes(i, 7);
      row.routing_epoch = result.integer(i, 8);
      list.tenants.push_back(std::move(row));
    }
    return list;
  }

  void try_create(std::string name, std::string limits, int attempts, StatusCallback done) {
    PgParams params;
    params.add_text(name);
    params.add_text(limits);
    replica::LogId id;
    fill_random(id.data(), id.size());
    params.add_bytes(bytes_of(id));
    // Tombstones keep their numbers, so that none is used twice.
    std::string sql =
        "WITH made AS (INSERT INTO lattice.logs (log_no, tenant, limits, log_id)"
        " SELECT coalesce(max(log_no), 0) + 1, $1::text, $2::text, $3::bytea FROM lattice.logs"
        " HAVING count(*) FILTER (WHERE state = 'moved'"
        "  AND tenant = '~'::text || log_no::text || '~'::text || $1::text) = 0"
        " ON CONFLICT DO NOTHING RETURNING 1),";
    sql += bumped_sql;
    sql +=
        " SELECT (SELECT count(*) FROM made), (SELECT count(*) FROM lattice.logs"
        " WHERE tenant = $1::text), (SELECT max(other_backend) FROM lattice.logs"
        " WHERE state = 'moved' AND tenant = '~'::text || log_no::text || '~'::text || $1::text)";
    run(std::move(sql), std::move(params),
        [this, name = std::move(name), limits = std::move(limits), attempts,
         done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) return done(std::move(reply.status));
          if (reply.result.integer(0, 0) == 1) return done({});
          if (reply.result.integer(0, 1) > 0) {
            return done(Status(Error::tenant_exists, "there is a tenant \"" + name + "\" already"));
          }
          if (const std::string_view target = reply.result.bytes(0, 2); !target.empty()) {
            return done(Status(
                Error::tenant_exists,
                "tenant \"" + name + "\" was moved to backend \"" + std::string(target) + "\""));
          }
          // Somebody else has taken the number.
          if (attempts == 0) return done(Status(Error::internal, "lattice.logs: no free number"));
          try_create(std::move(name), std::move(limits), attempts - 1, std::move(done));
        });
  }

  // `update` meets the tenant's row, or there is no such tenant.
  void change(const std::string& update, PgParams params, std::string name, StatusCallback done) {
    run("WITH changed AS (" + update + ")," + bumped_sql + " SELECT 1 FROM changed",
        std::move(params), [name = std::move(name), done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) return done(std::move(reply.status));
          done(reply.result.rows() == 1 ? Status() : unknown(name));
        });
  }

  void sweep_headers(int64_t log_no, Callback<bool> done) {
    sweep_some(log_no,
               "DELETE FROM lattice.batch WHERE log_no = $1::int4 AND ctid = ANY (ARRAY("
               " SELECT b.ctid FROM lattice.batch b WHERE b.log_no = $1::int4 LIMIT 5000))"
               " AND EXISTS (SELECT 1 FROM lattice.logs WHERE log_no = $1::int4"
               " AND state IN ('removing', 'moved')) RETURNING 1",
               [this, log_no, done = std::move(done)](Result<bool> more) mutable {
                 if (!more.ok() || *more) return done(std::move(more));
                 PgParams params;
                 params.add_int4(static_cast<int32_t>(log_no));
                 run("WITH gone AS (UPDATE lattice.logs SET state = 'removed', limits = ''"
                     "  WHERE log_no = $1::int4 AND state = 'removing' RETURNING log_id)"
                     " DELETE FROM lattice.announced WHERE log_id IN (SELECT log_id FROM gone)",
                     std::move(params), [done = std::move(done)](PgReply reply) mutable {
                       if (!reply.done()) return done(std::move(reply.status));
                       done(false);
                     });
               });
  }

  // Whether it has deleted anything.
  void sweep_some(int64_t log_no, const std::string& sql, Callback<bool> done) {
    PgParams params;
    params.add_int4(static_cast<int32_t>(log_no));
    run(
        "WITH gone AS (" + sql + ") SELECT count(*) FROM gone", std::move(params),
        [done = std::move(done)](PgReply reply) mutable {
          if (!reply.done()) return done(std::move(reply.status));
          done(reply.result.integer(0, 0) > 0);
        },
        std::chrono::seconds(60));
  }

  void run(std::string text, PgParams params, absl::AnyInvocable<void(PgReply)> done,
           Duration patience = std::chrono::seconds(10)) {
    statements_.run(*connections_.bulk, std::move(text), std::move(params), std::move(done),
                    {.patience = patience});
  }

  PgConnections& connections_;
  PgStatements statements_;
};

}  // namespace

std::unique_ptr<TenantDirectory> make_postgres_tenants(PgConnections& connections) {
  return std::make_unique<PgTenants>(connections);
}

}  // namespace lattice::backends
