#include "backends/sqlite/sqlite_tenants.h"

#include "absl/functional/function_ref.h"
#include "backends/common/random.h"
#include "backends/common/stored_row.h"
#include "backends/sqlite/sqlite_schema.h"

namespace lattice::backends {
namespace {

constexpr int64_t rows_per_step = 512;
constexpr const char* doing = "changing the list of tenants";

// `work` answers a SQLite code; `refusal` is set by it when the database is as it was meant to be
// but the change is not possible.
Status transact(Database& database, const Status& refusal, absl::FunctionRef<int()> work) {
  if (Status status = database.execute("BEGIN IMMEDIATE"); !status.ok()) return status;
  int code = work();
  Status status = database.status(code, doing);
  if (status.ok() && refusal.ok()) status = database.execute("COMMIT");
  if (sqlite3_get_autocommit(database.handle()) == 0) (void)database.execute("ROLLBACK");
  return refusal.ok() ? status : refusal;
}

int bump_version(Database& database) {
  auto bump = database.prepare(
      "INSERT INTO meta VALUES ('tenants_version', '1') ON CONFLICT (key)"
      " DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)");
  return bump.ok() ? bump->run() : SQLITE_ERROR;
}

Status unknown(std::string_view name) {
  return Status(Error::tenant_unknown, "there is no tenant \"" + std::string(name) + "\"");
}

// Runs an UPDATE whose parameters are bound; a refusal if it met no row.
int update_one(Database& database, Statement& update, std::string_view name, Status* refusal) {
  const int code = update.run();
  if (code != SQLITE_OK) return code;
  if (sqlite3_changes(database.handle()) == 0) {
    *refusal = unknown(name);
    return SQLITE_OK;
  }
  return bump_version(database);
}

}  // namespace

Result<int64_t> tenants_version(Database& database) {
  auto text = database.query_text(
      "SELECT coalesce((SELECT value FROM meta WHERE key = 'tenants_version'), '0')");
  if (!text.ok()) return text.status();
  return std::strtoll(text->c_str(), nullptr, 10);
}

Result<TenantList> list_tenants(Database& database) {
  TenantList list;
  // Before the list: what changes in between is read again.
  auto version = tenants_version(database);
  if (!version.ok()) return version.status();
  list.version = *version;
  auto select = database.prepare(
      "SELECT tenant, log_no, log_id, state, limits, created_at FROM logs"
      " WHERE state <> 'removed' ORDER BY tenant");
  if (!select.ok()) return select.status();
  int code = SQLITE_ROW;
  while ((code = select->step()) == SQLITE_ROW) {
    TenantRow row;
    row.name = select->bytes(0);
    row.log_no = select->integer(1);
    if (!copy_exactly(select->bytes(2), &row.log_id)) {
      return Status(Error::backend_corrupt, "a log id of the wrong size: tenant " + row.name);
    }
    row.state = select->bytes(3) == "active" ? TenantState::active : TenantState::removing;
    row.limits = limits_from_text(select->bytes(4)).value_or(TenantLimitValues());
    row.created_at = select->bytes(5);
    list.tenants.push_back(std::move(row));
  }
  if (code != SQLITE_DONE) return database.status(code, "reading the list of tenants");
  return list;
}

Status create_tenant(Database& database, std::string_view name, const TenantLimitValues& limits) {
  const std::string text = limits_to_text(limits);
  Status refusal;
  return transact(database, refusal, [&]() -> int {
    auto create = database.prepare(
        "INSERT INTO logs (tenant, log_id, created_at, limits)"
        " VALUES (?1, ?2, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), ?3)"
        " ON CONFLICT DO NOTHING");
    if (!create.ok()) return SQLITE_ERROR;
    replica::LogId id;
    fill_random(id.data(), id.size());
    create->bind_text(1, name);
    create->bind(2, bytes_of(id));
    create->bind_text(3, text);
    if (const int code = create->run(); code != SQLITE_OK) return code;
    if (sqlite3_changes(database.handle()) == 0) {
      refusal =
          Status(Error::tenant_exists, "there is a tenant \"" + std::string(name) + "\" already");
      return SQLITE_OK;
    }
    return bump_version(database);
  });
}

Status set_tenant_limits(Database& database, std::string_view name,
                         const TenantLimitValues& limits) {
  const std::string text = limits_to_text(limits);
  Status refusal;
  return transact(database, refusal, [&]() -> int {
    auto update =
        database.prepare("UPDATE logs SET limits = ?2 WHERE tenant = ?1 AND state = 'active'");
    if (!update.ok()) return SQLITE_ERROR;
    update->bind_text(1, name);
    update->bind_text(2, text);
    return update_one(database, *update, name, &refusal);
  });
}

Status remove_tenant(Database& database, std::string_view name) {
  Status refusal;
  return transact(database, refusal, [&]() -> int {
    auto update = database.prepare(
        "UPDATE logs SET state = 'removing', tenant = '~' || log_no || '~' || tenant"
        " WHERE tenant = ?1 AND state = 'active'");
    if (!update.ok()) return SQLITE_ERROR;
    update->bind_text(1, name);
    return update_one(database, *update, name, &refusal);
  });
}

// One batch at a time, its records first: a step that was interrupted is repeated.
Result<bool> sweep_tenant(Database& database, int64_t log_no) {
  bool more = true;
  Status none;
  Status status = transact(database, none, [&]() -> int {
    auto oldest = database.prepare(
        "SELECT b.seq, b.first_row, b.record_count FROM batch b JOIN logs l ON l.log_no = b.log_no"
        " WHERE b.log_no = ?1 AND l.state = 'removing' ORDER BY b.seq LIMIT 1");
    auto records = database.prepare(
        "DELETE FROM record WHERE row IN (SELECT row FROM record WHERE row >= ?1 AND row < ?1 + ?2"
        " AND log_no = ?3 LIMIT ?4)");
    auto header = database.prepare("DELETE FROM batch WHERE log_no = ?1 AND seq = ?2");
    auto done = database.prepare(
        "UPDATE logs SET state = 'removed', limits = '' WHERE log_no = ?1 AND state = 'removing'");
    if (!oldest.ok() || !records.ok() || !header.ok() || !done.ok()) return SQLITE_ERROR;
    int64_t left = rows_per_step;
    while (left > 0) {
      oldest->bind(1, log_no);
      const int found = oldest->step();
      if (found == SQLITE_DONE) {
        more = false;
        done->bind(1, log_no);
        return done->run();
      }
      if (found != SQLITE_ROW) return found;
      const int64_t seq = oldest->integer(0);
      records->bind(1, oldest->integer(1));
      records->bind(2, oldest->integer(2));
      oldest->reset();
      records->bind(3, log_no);
      records->bind(4, left);
      if (const int code = records->run(); code != SQLITE_OK) return code;
      left -= sqlite3_changes(database.handle());
      if (left <= 0) break;  // the rest of this batch, if there is one, is the next step's
      header->bind(1, log_no);
      header->bind(2, seq);
      if (const int code = header->run(); code != SQLITE_OK) return code;
      --left;
    }
    return SQLITE_OK;
  });
  if (!status.ok()) return status;
  return more;
}

Result<Database> open_tenants_beside(const SqliteOptions& options) {
  const std::string path = options.folder + "/" + options.file_name;
  auto database = Database::open(path, options.vfs);
  if (!database.ok()) return database.status();
  auto version = database->query_text("SELECT value FROM meta WHERE key = 'schema_version'");
  if (!version.ok()) return version.status();
  if (*version != std::to_string(schema_version)) {
    return Status(Error::backend_schema_newer, path + " has schema version " + *version +
                                                   ", this Lattice works on " +
                                                   std::to_string(schema_version) +
                                                   "; use the version that the running server has");
  }
  return database;
}

}  // namespace lattice::backends
