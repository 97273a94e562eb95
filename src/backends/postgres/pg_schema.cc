#include "backends/postgres/pg_schema.h"

#include <iterator>

#include "backends/common/random.h"
#include "base/hex.h"

namespace lattice::backends {
namespace {

// "lattice" as the key of an advisory lock.
constexpr const char* lock_key = "30515164879578981";

// Version 1. No index beyond the primary keys: the log is written in their order and read in their
// order, and each further index would cost the append a third. Values are stored as they come
// (EXTERNAL): compressing them took more of the server's time than everything else that an append
// does.
constexpr const char* tables_sql = R"sql(
CREATE TABLE lattice.meta (
  key text PRIMARY KEY,
  value text NOT NULL
);
CREATE TABLE lattice.logs (
  log_no integer PRIMARY KEY,
  tenant text NOT NULL UNIQUE,
  log_id bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  barriers bigint NOT NULL DEFAULT 0
);
CREATE TABLE lattice.batch (
  log_no integer NOT NULL,
  seq bigint NOT NULL,
  previous bytea NOT NULL,
  digest bytea NOT NULL,
  epoch bigint NOT NULL,
  incarnation bytea NOT NULL,
  batch_id bytea NOT NULL,
  last_revision bigint NOT NULL,
  record_count integer NOT NULL,
  committed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (log_no, seq)
);
CREATE TABLE lattice.record (
  log_no integer NOT NULL,
  seq bigint NOT NULL,
  idx integer NOT NULL,
  kind smallint NOT NULL,
  revision bigint NOT NULL,
  sub integer NOT NULL,
  key bytea NOT NULL,
  value bytea NOT NULL,
  create_revision bigint NOT NULL,
  version bigint NOT NULL,
  lease bigint NOT NULL,
  number bigint NOT NULL,
  PRIMARY KEY (log_no, seq, idx)
);
ALTER TABLE lattice.record ALTER COLUMN value SET STORAGE EXTERNAL;
CREATE TABLE lattice.session (
  incarnation bytea PRIMARY KEY,
  renewals bigint NOT NULL DEFAULT 0,
  dead boolean NOT NULL DEFAULT false,
  address text NOT NULL,
  opened_at timestamptz NOT NULL DEFAULT now(),
  renewed_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
)sql";

// Version 2.
constexpr const char* views_sql = R"sql(
CREATE VIEW lattice.keys AS
SELECT tenant, encode(key, 'escape') AS key, encode(value, 'escape') AS value, revision,
       create_revision, version, lease, committed_at, key AS key_bytes, value AS value_bytes
FROM (
  SELECT DISTINCT ON (r.log_no, r.key)
         l.tenant, r.kind, r.key, r.value, r.revision, r.create_revision, r.version, r.lease,
         b.committed_at
  FROM lattice.record r
  JOIN lattice.logs l ON l.log_no = r.log_no
  JOIN lattice.batch b ON b.log_no = r.log_no AND b.seq = r.seq
  WHERE r.kind IN (1, 2)
  ORDER BY r.log_no, r.key, r.seq DESC, r.idx DESC
) newest
WHERE kind = 1;

CREATE VIEW lattice.leases AS
SELECT tenant, lease, granted_ttl_seconds,
       (SELECT c.number FROM lattice.record c
        WHERE c.kind = 5 AND c.log_no = newest.log_no AND c.lease = newest.lease
          AND (c.seq, c.idx) > (newest.seq, newest.idx)
        ORDER BY c.seq DESC, c.idx DESC LIMIT 1) AS checkpoint_seconds,
       granted_at
FROM (
  SELECT DISTINCT ON (r.log_no, r.lease)
         l.tenant, r.log_no, r.seq, r.idx, r.kind, r.lease, r.number AS granted_ttl_seconds,
         b.committed_at AS granted_at
  FROM lattice.record r
  JOIN lattice.logs l ON l.log_no = r.log_no
  JOIN lattice.batch b ON b.log_no = r.log_no AND b.seq = r.seq
  WHERE r.kind IN (3, 4)
  ORDER BY r.log_no, r.lease, r.seq DESC, r.idx DESC
) newest
WHERE kind = 3;

CREATE VIEW lattice.history AS
SELECT l.tenant, encode(r.key, 'escape') AS key, r.revision, r.sub,
       CASE WHEN r.kind = 2 THEN 'delete' WHEN r.version = 1 THEN 'create' ELSE 'update' END
         AS change,
       encode(r.value, 'escape') AS value, r.version, r.lease, b.committed_at, b.seq, b.epoch,
       r.key AS key_bytes, r.value AS value_bytes
FROM lattice.record r
JOIN lattice.logs l ON l.log_no = r.log_no
JOIN lattice.batch b ON b.log_no = r.log_no AND b.seq = r.seq
WHERE r.kind IN (1, 2);
)sql";

// Version 3. With it comes the cluster's secret, a row of `meta`.
constexpr const char* nodes_sql = R"sql(
ALTER TABLE lattice.session
  ADD COLUMN name text NOT NULL DEFAULT '',
  ADD COLUMN client_urls text[] NOT NULL DEFAULT '{}',
  ADD COLUMN announced_seq bigint NOT NULL DEFAULT 0,
  ADD COLUMN announced_digest bytea NOT NULL DEFAULT '';
)sql";
constexpr int secret_version = 3;

// Version 4. What it means is docs/log-format.md's.
constexpr const char* tenants_sql = R"sql(
ALTER TABLE lattice.logs
  ADD COLUMN state text NOT NULL DEFAULT 'active',
  ADD COLUMN limits text NOT NULL DEFAULT '';
)sql";

// Version 5. The value of a user's record begins with the hash of the password, which is not shown.
constexpr const char* auth_views_sql = R"sql(
CREATE VIEW lattice.auth AS
SELECT tenant, enabled, auth_revision
FROM (
  SELECT DISTINCT ON (r.log_no) l.tenant, r.version = 1 AS enabled, r.number AS auth_revision
  FROM lattice.record r
  JOIN lattice.logs l ON l.log_no = r.log_no
  WHERE r.kind = 24
  ORDER BY r.log_no, r.seq DESC, r.idx DESC
) newest;

CREATE VIEW lattice.users AS
SELECT tenant, encode(key, 'escape') AS name, roles, no_password, auth_revision, changed_at
FROM (
  SELECT DISTINCT ON (r.log_no, r.key)
         l.tenant, r.kind, r.key, r.version = 1 AS no_password, r.number AS auth_revision,
         (string_to_array(encode(r.value, 'escape'), E'\n'))[2:] AS roles,
         b.committed_at AS changed_at
  FROM lattice.record r
  JOIN lattice.logs l ON l.log_no = r.log_no
  JOIN lattice.batch b ON b.log_no = r.log_no AND b.seq = r.seq
  WHERE r.kind IN (20, 21)
  ORDER BY r.log_no, r.key, r.seq DESC, r.idx DESC
) newest
WHERE kind = 20;

CREATE VIEW lattice.roles AS
SELECT tenant, encode(key, 'escape') AS name, permissions, auth_revision, changed_at
FROM (
  SELECT DISTINCT ON (r.log_no, r.key)
         l.tenant, r.kind, r.key, r.number AS auth_revision,
         string_to_array(encode(r.value, 'escape'), E'\n') AS permissions,
         b.committed_at AS changed_at
  FROM lattice.record r
  JOIN lattice.logs l ON l.log_no = r.log_no
  JOIN lattice.batch b ON b.log_no = r.log_no AND b.seq = r.seq
  WHERE r.kind IN (22, 23)
  ORDER BY r.log_no, r.key, r.seq DESC, r.idx DESC
) newest
WHERE kind = 22;
)sql";

// Version 6. The value of a token's record begins with the hash, which is not shown.
constexpr const char* token_view_sql = R"sql(
CREATE VIEW lattice.tokens AS
SELECT tenant, id, lines[2] AS user_name, lines[3] AS comment, lines[4:] AS roles, read_only,
       to_timestamp(created) AS created_at,
       CASE WHEN expires > 0 THEN to_timestamp(expires) END AS expires_at
FROM (
  SELECT DISTINCT ON (r.log_no, r.key)
         l.tenant, r.kind, encode(r.key, 'escape') AS id, r.version = 1 AS read_only,
         r.create_revision AS created, r.lease AS expires,
         string_to_array(encode(r.value, 'escape'), E'\n') AS lines
  FROM lattice.record r
  JOIN lattice.logs l ON l.log_no = r.log_no
  WHERE r.kind IN (25, 26)
  ORDER BY r.log_no, r.key, r.seq DESC, r.idx DESC
) newest
WHERE kind = 25;
)sql";

// Version 7. Keyed by the incarnation first, so that no renewal waits for another process's. The
// columns that it stands for stay: older processes that still run write to theirs.
constexpr const char* announced_sql = R"sql(
CREATE TABLE lattice.announced (
  incarnation bytea NOT NULL,
  log_id bytea NOT NULL,
  seq bigint NOT NULL,
  digest bytea NOT NULL,
  PRIMARY KEY (incarnation, log_id)
) WITH (fillfactor = 50);
)sql";

// Version 8. What it means is docs/log-format.md's.
constexpr const char* moves_sql = R"sql(
ALTER TABLE lattice.logs
  ADD COLUMN other_backend text NOT NULL DEFAULT '',
  ADD COLUMN routing_epoch bigint NOT NULL DEFAULT 0;
)sql";

constexpr const char* steps[] = {tables_sql,     views_sql,      nodes_sql,     tenants_sql,
                                 auth_views_sql, token_view_sql, announced_sql, moves_sql};
static_assert(std::size(steps) == schema_version);

std::optional<std::string> meta_value(const PgResult& rows, std::string_view key) {
  for (int i = 0; i < rows.rows(); ++i) {
    if (rows.bytes(i, 0) == key) return std::string(rows.bytes(i, 1));
  }
  return std::nullopt;
}

std::string fresh_secret() {
  std::string secret(cluster_secret_bytes, '\0');
  fill_random(secret.data(), secret.size());
  return secret;
}

}  // namespace

PgSchemaMigration::PgSchemaMigration(PgConnection& connection, std::string where,
                                     uint64_t fresh_cluster_id)
    : connection_(connection), where_(std::move(where)), fresh_cluster_id_(fresh_cluster_id) {}

void PgSchemaMigration::run(Callback<PgSchemaState> done) {
  done_ = std::move(done);
  execute(PgCommand::Form::script, std::string("SELECT pg_advisory_lock(") + lock_key + ")",
          [this](PgResult) { inspect(); });
}

void PgSchemaMigration::execute(PgCommand::Form form, std::string text,
                                absl::AnyInvocable<void(PgResult)> next) {
  PgCommand command;
  command.form = form;
  command.text = std::move(text);
  command.done = [this, alive = std::weak_ptr<bool>(alive_),
                  next = std::move(next)](PgReply reply) mutable {
    if (alive.expired()) return;
    if (reply.done()) {
      next(std::move(reply.result));
    } else {
      finish(std::move(reply.status));
    }
  };
  connection_.execute(std::move(command));
}

void PgSchemaMigration::inspect() {
  execute(PgCommand::Form::statement,
          "SELECT to_regnamespace('lattice') IS NOT NULL, to_regclass('lattice.meta') IS NOT NULL,"
          " (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('lattice')"
          "  AND relkind IN ('r', 'p', 'v', 'm', 'f'))",
          [this](PgResult row) {
            if (row.boolean(0, 1)) {
              read_meta();
            } else if (row.integer(0, 2) > 0) {
              finish(read_schema_state(where_, std::nullopt, std::nullopt, std::nullopt).status());
            } else if (row.boolean(0, 0)) {
              migrate({{0, fresh_cluster_id_}, {}});
            } else {
              execute(PgCommand::Form::script, "CREATE SCHEMA lattice", [this](PgResult) {
                migrate({{0, fresh_cluster_id_}, {}});
              });
            }
          });
}

void PgSchemaMigration::read_meta() {
  // A table of that name without these columns is somebody else's; to_jsonb asks without assuming.
  execute(PgCommand::Form::statement,
          "SELECT to_jsonb(m) ->> 'key', to_jsonb(m) ->> 'value' FROM lattice.meta m LIMIT 100",
          [this](PgResult rows) {
            auto state = read_schema_state(where_, meta_value(rows, "format"),
                                           meta_value(rows, "schema_version"),
                                           meta_value(rows, "cluster_id"));
            if (!state.ok()) return finish(state.status());
            PgSchemaState found{*state, from_hex(meta_value(rows, "cluster_secret").value_or(""))};
            if (state->version < secret_version) found.secret.clear();
            if (state->version >= secret_version && found.secret.size() != cluster_secret_bytes) {
              return finish(
                  Status(Error::backend_foreign_data,
                         where_ + ": lattice.meta has lost its cluster_secret; restore the row"));
            }
            if (state->version == schema_version) return finish(std::move(found));
            migrate(std::move(found));
          });
}

void PgSchemaMigration::migrate(PgSchemaState state) {
  // A script is one transaction.
  std::string script = steps[state.version];
  if (state.version == 0) {
    script += "INSERT INTO lattice.meta VALUES ('format', '" + std::string(schema_format) +
              "'), ('cluster_id', '" + cluster_id_to_text(state.cluster_id) +
              "'), ('schema_version', '1');";
  } else {
    script += "UPDATE lattice.meta SET value = '" + std::to_string(state.version + 1) +
              "' WHERE key = 'schema_version';";
  }
  ++state.version;
  if (state.version == secret_version) {
    state.secret = fresh_secret();
    script += "INSERT INTO lattice.meta VALUES ('cluster_secret', '" + to_hex(state.secret) + "');";
  }
  execute(PgCommand::Form::script, std::move(script),
          [this, state = std::move(state)](PgResult) mutable {
            if (state.version < schema_version) {
              migrate(std::move(state));
            } else {
              finish(std::move(state));
            }
          });
}

void PgSchemaMigration::finish(Result<PgSchemaState> outcome) {
  // Losing the connection gives the lock back as well, so that nobody waits for this.
  PgCommand unlock;
  unlock.form = PgCommand::Form::script;
  unlock.text = std::string("SELECT pg_advisory_unlock(") + lock_key + ")";
  unlock.done = [](PgReply) {};
  connection_.execute(std::move(unlock));
  auto done = std::move(done_);
  done(std::move(outcome));
}

}  // namespace lattice::backends
