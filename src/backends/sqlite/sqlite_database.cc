#include "backends/sqlite/sqlite_database.h"

namespace lattice::backends {

Status sqlite_status(int code, sqlite3* handle, std::string_view context) {
  if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return {};
  std::string text(context);
  text += ": ";
  text += handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  switch (code & 0xff) {
    case SQLITE_FULL:
      return Status(Error::backend_full,
                    text + "; free space on the file system of [paths] wal_dir, or compact");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Status(Error::backend_locked,
                    text +
                        "; another program has the file locked (a sqlite3 shell inside a "
                        "transaction?): end it");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Status(Error::backend_corrupt, text + "; restore the file from a backup");
    case SQLITE_NOMEM:
      return Status(Error::resource_exhausted, text);
    case SQLITE_ERROR:  // the SQL does not fit the tables
      return Status(Error::internal, text);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return Status(Error::io, text + "; check owner and mode of the files in [paths] wal_dir");
    default:
      return Status(Error::io, text);
  }
}

bool sqlite_is_broken(int code) {
  switch (code & 0xff) {
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      return true;
    default:
      return false;
  }
}

const char* synchronous_sql(FsyncPolicy policy) {
  switch (policy) {
    case FsyncPolicy::always:
      return "PRAGMA synchronous = FULL";
    case FsyncPolicy::interval:
      return "PRAGMA synchronous = NORMAL";
    case FsyncPolicy::never:
      return "PRAGMA synchronous = OFF";
  }
  return "PRAGMA synchronous = FULL";
}

Result<Database> Database::open(const std::string& path, const std::string& vfs) {
  Database database;
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, flags, vfs.empty() ? nullptr : vfs.c_str());
  database.handle_.reset(handle);
  if (code != SQLITE_OK) return sqlite_status(code, handle, "opening " + path);
  sqlite3_extended_result_codes(handle, 1);
  // Only a person's own sqlite3 shell can hold a lock here; it gets this long to finish.
  sqlite3_busy_timeout(handle, 5000);
  return database;
}

Status Database::execute(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  return status(code, sql);
}

Result<std::string> Database::query_text(const std::string& sql) {
  auto statement = prepare(sql.c_str());
  if (!statement.ok()) return statement.status();
  const int code = statement->step();
  if (code == SQLITE_DONE) return Status(Error::backend_corrupt, sql + ": no row");
  if (code != SQLITE_ROW) return status(code, sql);
  return std::string(statement->bytes(0));
}

Result<Statement> Database::prepare(const char* sql) {
  Statement statement;
  sqlite3_stmt* handle = nullptr;
  const int code =
      sqlite3_prepare_v3(handle_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  statement.handle_.reset(handle);
  if (code != SQLITE_OK) return status(code, sql);
  return statement;
}

}  // namespace lattice::backends
