#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "backends/common/schema.h"
#include "backends/log_suite.h"
#include "backends/sqlite_world.h"

namespace lattice::backends {
namespace {

using replica::AppendOutcome;

Error open_error(const std::string& folder, std::string* detail = nullptr) {
  SqliteOptions options;
  options.folder = folder;
  auto store = SqliteStore::open(options);
  if (detail != nullptr) *detail = store.status().detail();
  return store.error();
}

// Runs `body` in a process of its own and answers its exit status.
template <class Body>
int in_child(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_CASE("sqlite: the log suite") {
  run_log_suite([] { return std::make_unique<SqliteWorld>(); });
}

TEST_CASE("sqlite: what was committed is there after a restart") {
  SqliteWorld world;
  const uint64_t cluster = world.store().cluster_id();
  CHECK(cluster != 0);
  auto log = world.open_log("a");
  const auto id = log->id();
  Chain chain(id);
  must_append(world, *log, chain, {put_record(2, "k", "v"), put_record(3, "l", "w")});
  auto newest = must_append(world, *log, chain, {put_record(4, "k", "v2")});
  // The newest rows go, the position of the next row must not be taken from what is left.
  CHECK(await_status(world, [&](StatusCallback done) {
          log->remove({{Seq(2), 0}}, std::move(done));
        }).ok());
  log.reset();

  world.reopen();
  CHECK(world.store().cluster_id() == cluster);
  CHECK(*world.store().tenants() == std::vector<std::string>{"a"});
  log = world.open_log("a");
  CHECK(log->id() == id);
  CHECK(same_header(head(world, *log).newest, newest->header));
  must_append(world, *log, chain, {put_record(5, "m", "x")});
  const auto loaded = load(world, *log, Seq(0));
  REQUIRE(loaded.size() == 3);
  CHECK(loaded[1].records.empty());
  REQUIRE(loaded[2].records.size() == 1);
  CHECK(loaded[2].records[0].key.view() == "m");
}

TEST_CASE("sqlite: every fsync policy keeps what it has after a clean stop") {
  for (const auto policy : {FsyncPolicy::always, FsyncPolicy::interval, FsyncPolicy::never}) {
    SqliteWorld world;
    world.close();
    world.options().fsync = policy;
    world.options().fsync_interval = std::chrono::milliseconds(1);
    world.open();
    auto log = world.open_log("a");
    Chain chain(log->id());
    for (int i = 0; i < 20; ++i) {
      must_append(world, *log, chain, {put_record(i + 2, "k", "v")});
      world.turn();
    }
    log.reset();
    world.reopen();
    log = world.open_log("a");
    CHECK(load(world, *log, Seq(0)).size() == 20);
  }
}

TEST_CASE("sqlite: many tenants' appends meet in one commit") {
  SqliteWorld world;
  std::vector<std::unique_ptr<replica::Log>> logs;
  std::vector<Chain> chains;
  for (int i = 0; i < 100; ++i) {
    logs.push_back(world.open_log("tenant" + std::to_string(i)));
    chains.emplace_back(logs.back()->id());
  }
  int committed = 0;
  int rejected = 0;
  for (int round = 0; round < 5; ++round) {
    for (size_t i = 0; i < logs.size(); ++i) {
      auto batch = chains[i].next({put_record(round + 2, "k", "v")});
      // One tenant in ten submits something that does not fit; the others do not notice.
      if (i % 10 != 0) chains[i].advance(*batch);
      if (i % 10 == 0 && round > 0) batch = chains[i].next({put_record(2, "other", "history")});
      logs[i]->append(batch, [&](replica::AppendReply reply) {
        if (reply.outcome == AppendOutcome::committed) ++committed;
        if (reply.outcome == AppendOutcome::rejected) ++rejected;
      });
    }
    for (int i = 0; i < 5000 && committed + rejected < 100 * (round + 1); ++i) world.turn();
  }
  CHECK(committed == 90 * 5 + 10);
  CHECK(rejected == 10 * 4);
  CHECK(load(world, *logs[1], Seq(0)).size() == 5);
  CHECK(load(world, *logs[0], Seq(0)).size() == 1);
}

TEST_CASE("sqlite: a folder has one owner") {
  SqliteWorld world;
  const std::string folder = world.options().folder;
  std::string detail;
  CHECK(open_error(folder, &detail) == Error::backend_locked);
  CHECK(detail.find("process " + std::to_string(getpid())) != std::string::npos);
  CHECK(detail.find("wal_dir") != std::string::npos);
  CHECK(in_child([&] { return open_error(folder) == Error::backend_locked ? 0 : 1; }) == 0);
  world.close();
  CHECK(open_error(folder) == Error::ok);
}

TEST_CASE("sqlite: a killed owner leaves no lock behind, and everything acknowledged") {
  TempFolder folder;
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    SqliteWorld world(folder.path());
    auto log = world.open_log("a");
    Chain chain(log->id());
    for (int i = 0;; ++i) {
      must_append(world, *log, chain, {put_record(i + 2, "k", "v")});
      if (write(pipe_ends[1], "x", 1) != 1) _exit(1);
    }
  }
  char byte;
  int acknowledged = 0;
  while (acknowledged < 25 && read(pipe_ends[0], &byte, 1) == 1) ++acknowledged;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(pipe_ends[1]);
  while (read(pipe_ends[0], &byte, 1) == 1) ++acknowledged;
  close(pipe_ends[0]);

  SqliteWorld world(folder.path());
  auto log = world.open_log("a");
  const auto loaded = load(world, *log, Seq(0));
  CHECK(loaded.size() >= static_cast<size_t>(acknowledged));
  for (const auto& batch : loaded) {
    CHECK(compute_digest(log->id(), *batch.header, batch.records) == batch.header->digest);
  }
}

TEST_CASE("sqlite: folders that cannot be used say why") {
  TempFolder folder;
  std::ofstream(folder.path() + "/file") << "x";
  std::string detail;
  CHECK(open_error(folder.path() + "/file/below", &detail) == Error::io);
  CHECK(detail.find("/file/below") != std::string::npos);
  CHECK(open_error(folder.path() + "/new/below") == Error::ok);

  // Another user's folder. Root may write everywhere, so that a child has to become nobody.
  const std::string theirs = folder.path() + "/new";
  CHECK(in_child([&] {
          if (geteuid() == 0 && setuid(65534) != 0) return 2;
          if (getuid() != 65534 && chmod(theirs.c_str(), 0500) != 0) return 3;
          std::string text;
          if (open_error(theirs + "/other", &text) != Error::io) return 1;
          return text.find("user id") != std::string::npos ? 0 : 4;
        }) == 0);
}

TEST_CASE("sqlite: a newer schema, foreign tables and damaged files are refused") {
  TempFolder folder;
  const std::string file = folder.path() + "/lattice.db";
  std::string detail;
  SUBCASE("newer") {
    REQUIRE(open_error(folder.path()) == Error::ok);
    run_sql(file, "UPDATE meta SET value = '99' WHERE key = 'schema_version'");
    CHECK(open_error(folder.path(), &detail) == Error::backend_schema_newer);
    CHECK(detail.find("99") != std::string::npos);
  }
  SUBCASE("somebody's tables") {
    run_sql(file, "CREATE TABLE customers (id)");
    CHECK(open_error(folder.path(), &detail) == Error::backend_foreign_data);
    CHECK(run_sql(file, "SELECT count(*) FROM sqlite_master; PRAGMA journal_mode") ==
          "1\ndelete\n");
  }
  SUBCASE("somebody's table meta") {
    run_sql(file, "CREATE TABLE meta (name, setting)");
    CHECK(open_error(folder.path()) == Error::backend_foreign_data);
  }
  SUBCASE("another program's rows in meta") {
    run_sql(file, "CREATE TABLE meta (key, value); INSERT INTO meta VALUES ('schema_version', 1)");
    CHECK(open_error(folder.path()) == Error::backend_foreign_data);
  }
  SUBCASE("not a database") {
    std::ofstream(file) << std::string(10'000, 'x');
    CHECK(open_error(folder.path()) == Error::backend_corrupt);
  }
  SUBCASE("an edited value") {
    {
      SqliteWorld world(folder.path());
      auto log = world.open_log("a");
      Chain chain(log->id());
      must_append(world, *log, chain, {put_record(2, "k", "v")});
    }
    run_sql(file, "UPDATE record SET value = x'00'");
    CHECK(open_error(folder.path(), &detail) == Error::backend_corrupt);
    CHECK(detail.find("digest") != std::string::npos);
  }
}

TEST_CASE("sqlite: rows that Lattice never wrote end a load") {
  const char* edits[] = {
      "UPDATE record SET kind = 77 WHERE row = 1",
      "UPDATE record SET kind = -1 WHERE row = 1",
      "UPDATE record SET key = x'' WHERE row = 1",
      "UPDATE record SET sub = 4294967296 WHERE row = 1",
      "UPDATE record SET seq = 2 WHERE row = 1",
      "UPDATE record SET idx = 1 WHERE row = 1",
      "UPDATE batch SET digest = x'00' WHERE seq = 1",
      "UPDATE batch SET epoch = -1 WHERE seq = 1",
      "UPDATE batch SET record_count = -1 WHERE seq = 1",
      "UPDATE batch SET first_row = 2 WHERE seq = 1",
  };
  for (const char* edit : edits) {
    SqliteWorld world;
    const TwoPuts log(world);
    CHECK(log.load().ok());
    run_sql(world.file(), edit);
    CHECK_MESSAGE(log.load().error() == Error::backend_corrupt, edit);
  }
}

TEST_CASE("sqlite: version 1 of the schema is brought up to date") {
  TempFolder folder;
  std::ifstream in(LATTICE_SOURCE_DIR "/tests/backends/fixtures/sqlite_v1.sql");
  std::string sql((std::istreambuf_iterator<char>(in)), {});
  REQUIRE_FALSE(sql.empty());
  run_sql(folder.path() + "/lattice.db", sql);
  SqliteWorld world(folder.path());
  CHECK(world.store().cluster_id() == 0x0123456789abcdef);
  auto log = world.open_log("default");
  const auto loaded = load(world, *log, Seq(0));
  REQUIRE(loaded.size() == 2);
  for (const auto& batch : loaded) {
    CHECK(compute_digest(log->id(), *batch.header, batch.records) == batch.header->digest);
  }
  CHECK(run_sql(world.file(), "SELECT value FROM meta WHERE key = 'schema_version'") ==
        std::to_string(schema_version) + "\n");
  CHECK(run_sql(world.file(), "SELECT key, value FROM keys") == "k|v\n");
}

TEST_CASE("sqlite: version 4 of the schema gets the views of users and roles, and keeps tenants") {
  TempFolder folder;
  const std::string file = folder.path() + "/lattice.db";
  REQUIRE(open_error(folder.path()) == Error::ok);
  run_sql(file,
          "DROP VIEW auth; DROP VIEW users; DROP VIEW roles; DROP VIEW tokens;"
          "INSERT INTO logs (log_no, tenant, log_id, created_at, limits)"
          " VALUES (7, 'team', randomblob(16), '', 'keys_max=5');"
          "UPDATE meta SET value = '4' WHERE key = 'schema_version'");
  REQUIRE(open_error(folder.path()) == Error::ok);
  CHECK(run_sql(file, "SELECT value FROM meta WHERE key = 'schema_version'") ==
        std::to_string(schema_version) + "\n");
  CHECK(run_sql(file, "SELECT limits FROM logs WHERE tenant = 'team'") == "keys_max=5\n");
  CHECK(run_sql(file,
                "SELECT (SELECT count(*) FROM auth), (SELECT count(*) FROM users),"
                " (SELECT count(*) FROM roles), (SELECT count(*) FROM tokens)") == "0|0|0|0\n");
}

TEST_CASE("sqlite: the views answer what is there and what happened") {
  SqliteWorld world;
  auto log = world.open_log("a");
  Chain chain(log->id());
  keyspace::Record grant;
  grant.kind = keyspace::RecordKind::lease_grant;
  grant.revision = Revision(1);
  grant.lease = LeaseId(7);
  grant.number = 60;
  keyspace::Record revoke = grant;
  revoke.kind = keyspace::RecordKind::lease_revoke;
  revoke.lease = LeaseId(8);
  keyspace::Record second_grant = grant;
  second_grant.lease = LeaseId(8);
  keyspace::Record checkpoint = grant;
  checkpoint.kind = keyspace::RecordKind::lease_checkpoint;
  checkpoint.number = 31;
  keyspace::Record update = put_record(4, "a", "2");
  update.create_revision = Revision(2);
  update.version = 2;
  keyspace::Record gone = put_record(5, "b", "");
  gone.kind = keyspace::RecordKind::tombstone;
  must_append(world, *log, chain, {grant, second_grant, put_record(2, "a", "1")});
  must_append(world, *log, chain, {put_record(3, "b", "1"), update, checkpoint});
  must_append(world, *log, chain, {gone, revoke});
  CHECK(run_sql(world.file(), "SELECT tenant, key, value, revision, version FROM keys") ==
        "a|a|2|4|2\n");
  CHECK(
      run_sql(world.file(), "SELECT lease, granted_ttl_seconds, checkpoint_seconds FROM leases") ==
      "7|60|31\n");
  CHECK(run_sql(world.file(), "SELECT key, revision, change, seq FROM history ORDER BY revision") ==
        "a|2|create|1\nb|3|create|2\na|4|update|2\nb|5|delete|3\n");
  CHECK(
      run_sql(world.file(),
              "SELECT count(*) FROM history WHERE committed_at LIKE '20__-__-__T__:__:__.___Z'") ==
      "4\n");
}

}  // namespace
}  // namespace lattice::backends
