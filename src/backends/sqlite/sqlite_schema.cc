#include "backends/sqlite/sqlite_schema.h"

#include <vector>

namespace lattice::backends {
namespace {

// Version 1. `record` is a rowid table in append order: a row costs 40 % less to insert than into a
// WITHOUT ROWID table keyed (log_no, seq, idx), because SQLite has a fast path for appending to the
// rightmost leaf of an integer-keyed tree and for that only, and because such leaves hold longer
// values without overflow pages. batch.first_row finds the rows of a batch: row = first_row + idx.
constexpr const char* tables_sql = R"sql(
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE logs (
  log_no INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL UNIQUE,
  log_id BLOB NOT NULL,
  created_at TEXT NOT NULL,
  barriers INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE batch (
  log_no INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  previous BLOB NOT NULL,
  digest BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  incarnation BLOB NOT NULL,
  batch_id BLOB NOT NULL,
  last_revision INTEGER NOT NULL,
  record_count INTEGER NOT NULL,
  first_row INTEGER NOT NULL,
  committed_at INTEGER NOT NULL,
  PRIMARY KEY (log_no, seq)
) WITHOUT ROWID;
CREATE TABLE record (
  row INTEGER PRIMARY KEY,
  log_no INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  sub INTEGER NOT NULL,
  key BLOB NOT NULL,
  value BLOB NOT NULL,
  create_revision INTEGER NOT NULL,
  version INTEGER NOT NULL,
  lease INTEGER NOT NULL,
  number INTEGER NOT NULL
);
)sql";

// Version 2. Rows of one log are in log order, so the newest row of a key is its newest version.
constexpr const char* views_sql = R"sql(
CREATE VIEW keys AS
SELECT tenant, CAST(key AS TEXT) AS key, CAST(value AS TEXT) AS value, revision, create_revision,
       version, lease, committed_at, key AS key_bytes, value AS value_bytes
FROM (
  SELECT l.tenant, r.kind, r.key, r.value, r.revision, r.create_revision, r.version, r.lease,
         strftime('%Y-%m-%dT%H:%M:%fZ', b.committed_at / 1000.0, 'unixepoch') AS committed_at,
         max(r.row)
  FROM record r
  JOIN logs l ON l.log_no = r.log_no
  JOIN batch b ON b.log_no = r.log_no AND b.seq = r.seq
  WHERE r.kind IN (1, 2)
  GROUP BY r.log_no, r.key
)
WHERE kind = 1;

CREATE VIEW leases AS
SELECT tenant, lease, granted_ttl_seconds, checkpoint_seconds, granted_at
FROM (
  SELECT l.tenant, r.log_no, r.lease, r.kind, r.number AS granted_ttl_seconds, r.row,
         strftime('%Y-%m-%dT%H:%M:%fZ', b.committed_at / 1000.0, 'unixepoch') AS granted_at,
         (SELECT c.number FROM record c
          WHERE c.kind = 5 AND c.log_no = r.log_no AND c.lease = r.lease AND c.row > r.row
          ORDER BY c.row DESC LIMIT 1) AS checkpoint_seconds,
         max(r.row)
  FROM record r
  JOIN logs l ON l.log_no = r.log_no
  JOIN batch b ON b.log_no = r.log_no AND b.seq = r.seq
  WHERE r.kind IN (3, 4)
  GROUP BY r.log_no, r.lease
)
WHERE kind = 3;

CREATE VIEW history AS
SELECT l.tenant, CAST(r.key AS TEXT) AS key, r.revision, r.sub,
       CASE WHEN r.kind = 2 THEN 'delete' WHEN r.version = 1 THEN 'create' ELSE 'update' END
         AS change,
       CAST(r.value AS TEXT) AS value, r.version, r.lease,
       strftime('%Y-%m-%dT%H:%M:%fZ', b.committed_at / 1000.0, 'unixepoch') AS committed_at,
       b.seq, b.epoch, r.key AS key_bytes, r.value AS value_bytes
FROM record r
JOIN logs l ON l.log_no = r.log_no
JOIN batch b ON b.log_no = r.log_no AND b.seq = r.seq
WHERE r.kind IN (1, 2);
)sql";

// Version 4. What it means is docs/log-format.md's.
constexpr const char* tenants_sql = R"sql(
ALTER TABLE logs ADD COLUMN state TEXT NOT NULL DEFAULT 'active';
ALTER TABLE logs ADD COLUMN limits TEXT NOT NULL DEFAULT '';
)sql";

// Version 5. The value of a user's record begins with the hash of the password, which is not shown.
// max() makes the other columns those of the newest row.
constexpr const char* auth_views_sql = R"sql(
CREATE VIEW auth AS
SELECT tenant, enabled, auth_revision
FROM (
  SELECT l.tenant, r.version = 1 AS enabled, r.number AS auth_revision, max(r.row)
  FROM record r
  JOIN logs l ON l.log_no = r.log_no
  WHERE r.kind = 24
  GROUP BY r.log_no
);

CREATE VIEW users AS
SELECT tenant, name, substr(value, instr(value || char(10), char(10)) + 1) AS roles, no_password,
       auth_revision, changed_at
FROM (
  SELECT l.tenant, r.kind, CAST(r.key AS TEXT) AS name, CAST(r.value AS TEXT) AS value,
         r.version = 1 AS no_password, r.number AS auth_revision,
         strftime('%Y-%m-%dT%H:%M:%fZ', b.committed_at / 1000.0, 'unixepoch') AS changed_at,
         max(r.row)
  FROM record r
  JOIN logs l ON l.log_no = r.log_no
  JOIN batch b ON b.log_no = r.log_no AND b.seq = r.seq
  WHERE r.kind IN (20, 21)
  GROUP BY r.log_no, r.key
)
WHERE kind = 20;

CREATE VIEW roles AS
SELECT tenant, name, permissions, auth_revision, changed_at
FROM (
  SELECT l.tenant, r.kind, CAST(r.key AS TEXT) AS name, CAST(r.value AS TEXT) AS permissions,
         r.number AS auth_revision,
         strftime('%Y-%m-%dT%H:%M:%fZ', b.committed_at / 1000.0, 'unixepoch') AS changed_at,
         max(r.row)
  FROM record r
  JOIN logs l ON l.log_no = r.log_no
  JOIN batch b ON b.log_no = r.log_no AND b.seq = r.seq
  WHERE r.kind IN (22, 23)
  GROUP BY r.log_no, r.key
)
WHERE kind = 22;
)sql";

// Version 6. The value of a token's record begins with the hash, which is not shown: 64 digits and
// the end of the line. Behind it come the user and the comment, then the roles.
constexpr const char* token_view_sql = R"sql(
CREATE VIEW tokens AS
SELECT tenant, id, user_name, substr(about, 1, instr(about, char(10)) - 1) AS comment,
       substr(about, instr(about, char(10)) + 1) AS roles, read_only, created_at, expires_at
FROM (
  SELECT tenant, id, substr(value, 1, instr(value, char(10)) - 1) AS user_name,
         substr(value, instr(value, char(10)) + 1) || char(10) AS about, read_only, created_at,
         expires_at, kind
  FROM (
    SELECT l.tenant, r.kind, CAST(r.key AS TEXT) AS id, substr(CAST(r.value AS TEXT), 66) AS value,
           r.version = 1 AS read_only,
           strftime('%Y-%m-%dT%H:%M:%SZ', r.create_revision, 'unixepoch') AS created_at,
           CASE WHEN r.lease > 0 THEN strftime('%Y-%m-%dT%H:%M:%SZ', r.lease, 'unixepoch') END
             AS expires_at,
           max(r.row)
    FROM record r
    JOIN logs l ON l.log_no = r.log_no
    WHERE r.kind IN (25, 26)
    GROUP BY r.log_no, r.key
  )
)
WHERE kind = 25;
)sql";

// Versions 3, 7 and 8 are PostgreSQL's alone.
constexpr const char* steps[] = {tables_sql,     views_sql,      "", tenants_sql,
                                 auth_views_sql, token_view_sql, "", ""};
static_assert(std::size(steps) == schema_version);

Result<std::optional<std::string>> meta_value(Database& database, std::string_view key) {
  auto statement = database.prepare("SELECT value FROM meta WHERE key = ?1");
  if (!statement.ok()) return statement.status();
  statement->bind_text(1, key);
  const int code = statement->step();
  if (code == SQLITE_DONE) return std::optional<std::string>();
  if (code != SQLITE_ROW) return database.status(code, "reading the schema version");
  return std::optional<std::string>(statement->bytes(0));
}

Status set_meta(Database& database, std::string_view key, std::string_view value) {
  auto statement = database.prepare(
      "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2");
  if (!statement.ok()) return statement.status();
  statement->bind_text(1, key);
  statement->bind_text(2, value);
  return database.status(statement->run(), "writing the schema version");
}

Result<SchemaState> existing_state(Database& database, const std::string& path) {
  auto format = meta_value(database, "format");
  if (!format.ok()) {
    // A table of that name with other columns: somebody else's.
    return format.error() == Error::internal
               ? read_schema_state(path, std::nullopt, std::nullopt, std::nullopt)
               : Result<SchemaState>(format.status());
  }
  auto version = meta_value(database, "schema_version");
  if (!version.ok()) return version.status();
  auto cluster = meta_value(database, "cluster_id");
  if (!cluster.ok()) return cluster.status();
  return read_schema_state(path, *format, *version, *cluster);
}

// Inside the exclusive transaction.
Result<SchemaState> migrate(Database& database, const std::string& path,
                            uint64_t fresh_cluster_id) {
  auto tables = database.query_text("SELECT count(*) FROM sqlite_master");
  if (!tables.ok()) return tables.status();
  auto has_meta = database.query_text("SELECT count(*) FROM sqlite_master WHERE name = 'meta'");
  if (!has_meta.ok()) return has_meta.status();
  SchemaState state{0, fresh_cluster_id};
  if (*has_meta != "0") {
    auto existing = existing_state(database, path);
    if (!existing.ok()) return existing.status();
    state = *existing;
  } else if (*tables != "0") {
    return Status(Error::backend_foreign_data,
                  path +
                      " holds tables that Lattice did not write; set [paths] wal_dir to a "
                      "folder of its own");
  }
  const bool fresh = state.version == 0;
  if (state.version == schema_version) return state;
  for (; state.version < schema_version; ++state.version) {
    if (Status status = database.execute(steps[state.version]); !status.ok()) return status;
  }
  Status status = set_meta(database, "schema_version", std::to_string(schema_version));
  if (status.ok() && fresh) status = set_meta(database, "format", schema_format);
  if (status.ok() && fresh) {
    status = set_meta(database, "cluster_id", cluster_id_to_text(state.cluster_id));
  }
  if (!status.ok()) return status;
  return state;
}

}  // namespace

Result<SchemaState> prepare_schema(Database& database, const std::string& path,
                                   uint64_t fresh_cluster_id) {
  if (Status status = database.execute("BEGIN EXCLUSIVE"); !status.ok()) return status;
  Result<SchemaState> state = migrate(database, path, fresh_cluster_id);
  if (state.ok()) {
    if (Status status = database.execute("COMMIT"); status.ok())
      return state;
    else
      state = status;
  }
  (void)database.execute("ROLLBACK");
  return state;
}

}  // namespace lattice::backends
