// The space that a SqliteStore takes: the write-ahead log beside a reader that holds it up, and the
// file after a compaction.
#include <filesystem>

#include "backends/log_world.h"
#include "backends/sqlite_world.h"

namespace lattice::backends {
namespace {

constexpr size_t mebibyte = 1024 * 1024;

// A person's sqlite3 shell in the middle of a transaction.
class Shell {
 public:
  explicit Shell(const std::string& file) {
    REQUIRE(sqlite3_open(file.c_str(), &handle_) == SQLITE_OK);
    REQUIRE(run("BEGIN; SELECT count(*) FROM logs") == SQLITE_OK);
  }
  ~Shell() { sqlite3_close(handle_); }
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

 private:
  int run(const char* sql) { return sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr); }
  sqlite3* handle_ = nullptr;
};

void append_mebibytes(SqliteWorld& world, replica::Log& log, Chain& chain, int count) {
  const std::string value(mebibyte, 'v');
  for (int i = 0; i < count; ++i) {
    const auto revision = static_cast<int64_t>(chain.last().seq.value) + 2;
    must_append(world, log, chain, {put_record(revision, "k", value)});
  }
}

TEST_CASE("sqlite space: the write-ahead log grows beside a reader and is emptied behind it") {
  SqliteWorld world;
  auto log = world.open_log("a");
  Chain chain(log->id());
  const auto wal_bytes = [&] { return std::filesystem::file_size(world.file() + "-wal"); };
  {
    Shell shell(world.file());
    append_mebibytes(world, *log, chain, 80);
    CHECK(wal_bytes() > 80 * mebibyte);
  }
  // The next commit finds it beyond 64 MiB and has it emptied; the one after starts it over.
  append_mebibytes(world, *log, chain, 2);
  CHECK(wal_bytes() < 72 * mebibyte);
  CHECK(std::filesystem::file_size(world.file()) > 80 * mebibyte);
  CHECK(load(world, *log, Seq(0)).size() == 82);
}

TEST_CASE("sqlite space: what is appended reaches the file without anybody waiting for it") {
  SqliteWorld world;
  auto log = world.open_log("a");
  Chain chain(log->id());
  append_mebibytes(world, *log, chain, 12);
  for (int turn = 0; turn < 2000 && std::filesystem::file_size(world.file()) < 8 * mebibyte;
       ++turn) {
    world.turn();
  }
  CHECK(std::filesystem::file_size(world.file()) >= 8 * mebibyte);
}

TEST_CASE("sqlite space: what a compaction has freed is given back") {
  SqliteWorld world;
  auto log = world.open_log("a");
  Chain chain(log->id());
  append_mebibytes(world, *log, chain, 12);
  std::vector<keyspace::RecordId> doomed;
  for (uint64_t seq = 1; seq <= 11; ++seq) doomed.push_back({Seq(seq), 0});
  const auto bytes = [&] { return std::filesystem::file_size(world.file()); };
  REQUIRE(
      await_status(world, [&](StatusCallback done) { log->remove(doomed, std::move(done)); }).ok());
  REQUIRE(await_status(world, [&](StatusCallback done) { log->defragment(std::move(done)); }).ok());
  CHECK(bytes() < 4 * mebibyte);
  CHECK(run_sql(world.file(), "PRAGMA integrity_check") == "ok\n");
  CHECK(run_sql(world.file(), "PRAGMA freelist_count") == "0\n");
  const auto left = load(world, *log, Seq(11));
  REQUIRE(left.size() == 1);
  CHECK(left[0].records.size() == 1);
}

}  // namespace
}  // namespace lattice::backends
