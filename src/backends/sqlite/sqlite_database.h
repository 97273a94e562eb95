// SQLite's handles as owned objects, and its result codes as Status.
// Thread: a Database and its Statements belong to one thread (opened without SQLite's mutexes).
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "backends/sqlite/sqlite_store.h"
#include "base/status.h"

namespace lattice::backends {

// Why SQLite refused, with what a person can do about it. `context` says what was being done.
Status sqlite_status(int code, sqlite3* handle, std::string_view context);

// After these the connection's view of the file cannot be trusted any more (reliability 3.2).
bool sqlite_is_broken(int code);

// The pragma that makes a connection keep the policy.
const char* synchronous_sql(FsyncPolicy policy);

// A prepared statement. Binding does not copy: bound bytes must live until run() or reset().
class Statement {
 public:
  Statement() = default;

  void bind(int column, int64_t value) { sqlite3_bind_int64(handle_.get(), column, value); }
  void bind(int column, std::string_view bytes) {
    // A null pointer would store NULL; empty bytes are a value.
    sqlite3_bind_blob64(handle_.get(), column, bytes.data() == nullptr ? "" : bytes.data(),
                        bytes.size(), SQLITE_STATIC);
  }
  void bind_text(int column, std::string_view text) {
    sqlite3_bind_text64(handle_.get(), column, text.data(), text.size(), SQLITE_STATIC,
                        SQLITE_UTF8);
  }
  // SQLITE_ROW, SQLITE_DONE or an error.
  int step() { return sqlite3_step(handle_.get()); }
  void reset() { sqlite3_reset(handle_.get()); }
  // Steps a statement that answers no rows, and resets it: SQLITE_OK or an error.
  int run() {
    const int code = step();
    reset();
    return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
  }

  int64_t integer(int column) { return sqlite3_column_int64(handle_.get(), column); }
  // Valid until the next step or reset.
  std::string_view bytes(int column) {
    const void* data = sqlite3_column_blob(handle_.get(), column);
    const int size = sqlite3_column_bytes(handle_.get(), column);
    return {static_cast<const char*>(data), static_cast<size_t>(size)};
  }

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

class Database {
 public:
  // `vfs` by name; empty: the operating system's.
  static Result<Database> open(const std::string& path, const std::string& vfs);

  Status execute(const char* sql);
  // The first column of the first row as text; backend_corrupt when there is no row.
  Result<std::string> query_text(const std::string& sql);
  Result<Statement> prepare(const char* sql);
  Status status(int code, std::string_view context) {
    return sqlite_status(code, handle_.get(), context);
  }
  sqlite3* handle() { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace lattice::backends
