// The log suite's world on SQLite, and ways to look into the file behind its back.
#pragma once

#include <sqlite3.h>

#include <string>

#include "backends/log_world.h"
#include "backends/queue_environment.h"
#include "backends/sqlite/sqlite_store.h"
#include "backends/temp_folder.h"

namespace lattice::backends {

class SqliteWorld final : public LogWorld {
 public:
  explicit SqliteWorld(std::string folder = {}, std::string vfs = {}) {
    options_.folder = folder.empty() ? temp_.path() : folder;
    options_.vfs = std::move(vfs);
    open();
  }
  std::unique_ptr<replica::Log> open_log(std::string_view tenant) override {
    auto log = store_->open_log(
        tenant, [this](absl::AnyInvocable<void()> task) { environment_.post(std::move(task)); });
    REQUIRE_MESSAGE(log.ok(), log.status().detail());
    return std::move(*log);
  }
  void turn() override { environment_.turn(); }

  // As a new process would; every log of this world must be gone.
  void reopen() {
    close();
    open();
  }
  void close() { store_.reset(); }
  void open() {
    auto store = SqliteStore::open(options_);
    REQUIRE_MESSAGE(store.ok(), store.status().detail());
    store_ = std::move(*store);
  }
  SqliteStore& store() { return *store_; }
  QueueEnvironment& environment() { return environment_; }
  SqliteOptions& options() { return options_; }
  std::string file() const { return options_.folder + "/lattice.db"; }

 private:
  TempFolder temp_;
  QueueEnvironment environment_;
  SqliteOptions options_;
  std::unique_ptr<SqliteStore> store_;
};

// Runs SQL on a file as a person with a sqlite3 shell would: rows as "a|b", one per line.
inline std::string run_sql(const std::string& file, const std::string& sql) {
  sqlite3* handle = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &handle) == SQLITE_OK);
  std::string rows;
  char* error = nullptr;
  const auto row = [](void* out, int columns, char** values, char**) {
    auto* text = static_cast<std::string*>(out);
    for (int i = 0; i < columns; ++i) {
      if (i > 0) *text += '|';
      *text += values[i] != nullptr ? values[i] : "NULL";
    }
    *text += '\n';
    return 0;
  };
  const int code = sqlite3_exec(handle, sql.c_str(), row, &rows, &error);
  const std::string message = error != nullptr ? error : "";
  sqlite3_free(error);
  sqlite3_close(handle);
  REQUIRE_MESSAGE(code == SQLITE_OK, message);
  return rows;
}

}  // namespace lattice::backends
