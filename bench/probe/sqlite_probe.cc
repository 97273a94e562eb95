#include <sqlite3.h>

#include <memory>

#include "load/clock.h"
#include "probe.h"

namespace lattice::load {
namespace {

struct Close {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

constexpr const char* set_up =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
    "CREATE TABLE probe(id INTEGER PRIMARY KEY, value BLOB NOT NULL);";

}  // namespace

std::string probe_sqlite(const ProbeRequest& request, Histogram& latency) {
  sqlite3* opened = nullptr;
  const int rc = sqlite3_open(request.target.c_str(), &opened);
  const std::unique_ptr<sqlite3, Close> db(opened);
  if (rc != SQLITE_OK) return sqlite3_errmsg(opened);
  if (sqlite3_exec(opened, set_up, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return sqlite3_errmsg(opened);
  }
  sqlite3_stmt* prepared = nullptr;
  sqlite3_prepare_v2(opened, "INSERT INTO probe(value) VALUES(?)", -1, &prepared, nullptr);
  const std::unique_ptr<sqlite3_stmt, Finalize> insert(prepared);
  const std::string value(request.value_size, 'v');
  for (uint64_t i = 0; i < request.commits; ++i) {
    const uint64_t start = now_ns();
    sqlite3_bind_blob(prepared, 1, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
    if (sqlite3_step(prepared) != SQLITE_DONE) return sqlite3_errmsg(opened);
    sqlite3_reset(prepared);
    latency.record(now_ns() - start);
  }
  return {};
}

}  // namespace lattice::load
