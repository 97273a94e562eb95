// How a PostgreSQL store opens: schema versions, foreign data, servers that cannot keep the
// promise.

#include <sys/mount.h>

#include "backends/common/schema.h"
#include "backends/postgres_world.h"
#include "backends/resolve.h"

namespace lattice::backends {
namespace {

// Opens a store and answers how that ended; waits as long as it is undecided, up to `patience`.
Status open_status(const std::string& url, PgDurability durability = {},
                   std::chrono::milliseconds patience = std::chrono::seconds(20)) {
  loop::Loop loop;
  PostgresOptions options;
  options.url = url;
  options.durability = durability;
  auto store = PostgresStore::create(loop, options);
  if (!store.ok()) return store.status();
  std::optional<Status> done;
  (*store)->open([&](Status status) {
    done = std::move(status);
    loop.stop();
  });
  auto deadline = loop.after(patience, [&] { loop.stop(); });
  loop.run();
  deadline.reset();
  return done ? *done : (*store)->health();
}

std::string read_fixture(const std::string& name) {
  std::ifstream in(LATTICE_SOURCE_DIR "/tests/backends/fixtures/" + name);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  REQUIRE_FALSE(text.empty());
  return text;
}

TEST_CASE("postgres schema: stores that open together make one schema") {
  const std::string url = shared_server().url(shared_server().create_database());
  loop::Loop loop;
  PostgresOptions options;
  options.url = url;
  std::vector<std::unique_ptr<PostgresStore>> stores;
  int opened = 0;
  std::vector<replica::LogId> ids;
  std::vector<std::unique_ptr<replica::Log>> logs;
  for (int i = 0; i < 4; ++i) {
    stores.push_back(std::move(*PostgresStore::create(loop, options)));
    PostgresStore* store = stores.back().get();
    store->open([&, store](Status status) {
      CHECK_MESSAGE(status.ok(), status.detail());
      ++opened;
      store->open_log("same", [&](Result<std::unique_ptr<replica::Log>> log) {
        REQUIRE_MESSAGE(log.ok(), log.status().detail());
        ids.push_back((*log)->id());
        logs.push_back(std::move(*log));
        if (ids.size() == stores.size()) loop.stop();
      });
    });
  }
  auto deadline = loop.after(std::chrono::seconds(30), [&] { loop.stop(); });
  loop.run();
  deadline.reset();
  CHECK(opened == 4);
  REQUIRE(ids.size() == 4);
  for (size_t i = 1; i < 4; ++i) {
    CHECK(ids[i] == ids[0]);
    CHECK(stores[i]->cluster_id() == stores[0]->cluster_id());
    CHECK(stores[i]->cluster_secret() == stores[0]->cluster_secret());
  }
  CHECK(stores[0]->cluster_id() != 0);
  logs.clear();
}

TEST_CASE("postgres schema: opening twice answers twice") {
  PostgresWorld world;
  const uint64_t cluster = world.store().cluster_id();
  CHECK(
      await_status(world, [&](StatusCallback done) { world.store().open(std::move(done)); }).ok());
  CHECK(world.store().cluster_id() == cluster);
}

TEST_CASE("postgres schema: version 1 is brought up to date") {
  const std::string database = shared_server().create_database();
  shared_server().sql(database, read_fixture("postgres_v1.sql"));
  shared_server().sql(database,
                      "INSERT INTO lattice.session (incarnation, address) VALUES ('\\x01', 'x')");
  PostgresWorld world(shared_server().url(database));
  CHECK(world.store().cluster_id() == 0x0123456789abcdef);
  auto log = world.open_log("default");
  const auto loaded = load(world, *log, Seq(0));
  REQUIRE(loaded.size() == 2);
  for (const auto& batch : loaded) {
    CHECK(compute_digest(log->id(), *batch.header, batch.records) == batch.header->digest);
  }
  CHECK(shared_server().sql(database,
                            "SELECT value FROM lattice.meta WHERE key = 'schema_version'") ==
        std::to_string(schema_version) + "\n");
  CHECK(world.store().cluster_secret().size() == 32);
  CHECK(shared_server().sql(database,
                            "SELECT address, name, client_urls, announced_seq, announced_digest "
                            "FROM lattice.session") == "x||{}|0|\\x\n");
  CHECK(shared_server().sql(database, "SELECT key, value FROM lattice.keys") == "k|v\n");
}

TEST_CASE("postgres schema: version 4 gets the views of users and roles, and keeps tenants") {
  const std::string database = shared_server().create_database();
  const std::string url = shared_server().url(database);
  REQUIRE(open_status(url).ok());
  const auto sql = [&](const std::string& text) { return shared_server().sql(database, text); };
  sql("DROP VIEW lattice.auth, lattice.users, lattice.roles, lattice.tokens;"
      " DROP TABLE lattice.announced;"
      " ALTER TABLE lattice.logs DROP COLUMN other_backend, DROP COLUMN routing_epoch");
  sql("INSERT INTO lattice.logs (log_no, tenant, log_id, limits)"
      " VALUES (7, 'team', decode(md5('a'), 'hex'), 'keys_max=5')");
  sql("UPDATE lattice.meta SET value = '4' WHERE key = 'schema_version'");
  REQUIRE(open_status(url).ok());
  CHECK(sql("SELECT value FROM lattice.meta WHERE key = 'schema_version'") ==
        std::to_string(schema_version) + "\n");
  CHECK(sql("SELECT limits FROM lattice.logs WHERE tenant = 'team'") == "keys_max=5\n");
  CHECK(sql("SELECT (SELECT count(*) FROM lattice.auth), (SELECT count(*) FROM lattice.users),"
            " (SELECT count(*) FROM lattice.roles), (SELECT count(*) FROM lattice.tokens)") ==
        "0|0|0|0\n");
}

TEST_CASE("postgres schema: what is not ours, or not yet ours, is refused for good") {
  const std::string database = shared_server().create_database();
  const std::string url = shared_server().url(database);
  SUBCASE("newer") {
    REQUIRE(open_status(url).ok());
    shared_server().sql(database,
                        "UPDATE lattice.meta SET value = '99' WHERE key = 'schema_version'");
    const Status status = open_status(url);
    CHECK(status.error() == Error::backend_schema_newer);
    CHECK(status.detail().find("99") != std::string::npos);
  }
  SUBCASE("somebody's schema of our name") {
    shared_server().sql(database, "CREATE SCHEMA lattice; CREATE TABLE lattice.crystals (id int)");
    CHECK(open_status(url).error() == Error::backend_foreign_data);
  }
  SUBCASE("somebody's table meta") {
    shared_server().sql(database, "CREATE SCHEMA lattice; CREATE TABLE lattice.meta (name text)");
    CHECK(open_status(url).error() == Error::backend_foreign_data);
  }
  SUBCASE("a secret that is gone") {
    REQUIRE(open_status(url).ok());
    shared_server().sql(database, "DELETE FROM lattice.meta WHERE key = 'cluster_secret'");
    const Status status = open_status(url);
    CHECK(status.error() == Error::backend_foreign_data);
    CHECK(status.detail().find("cluster_secret") != std::string::npos);
  }
  SUBCASE("an empty schema made by the administrator is fine") {
    shared_server().sql(database, "CREATE SCHEMA lattice");
    CHECK(open_status(url).ok());
  }
}

TEST_CASE("postgres schema: another cluster's data under a running store") {
  const std::string database = shared_server().create_database();
  PostgresWorld world(shared_server().url(database));
  auto log = world.open_log("a");
  Chain chain(log->id());
  must_append(world, *log, chain, {put_record(2, "k", "v")});
  shared_server().sql(
      database, "UPDATE lattice.meta SET value = 'feedfeedfeedfeed' WHERE key = 'cluster_id'");
  shared_server().sql("postgres",
                      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                      "application_name = 'lattice append' AND datname = '" +
                          database + "'");
  auto batch = chain.next({put_record(3, "k", "v")});
  for (int i = 0; i < 5; ++i) {
    CHECK(append(world, *log, batch).outcome == replica::AppendOutcome::unknown);
  }
  CHECK(world.store().health().error() == Error::backend_foreign_data);
}

TEST_CASE("postgres schema: a role with rights on the tables only") {
  const std::string database = shared_server().create_database();
  REQUIRE(open_status(shared_server().url(database)).ok());
  shared_server().sql("postgres", "DROP ROLE IF EXISTS app; CREATE ROLE app LOGIN");
  shared_server().sql(
      database,
      "GRANT USAGE ON SCHEMA lattice TO app; GRANT SELECT, INSERT, UPDATE, DELETE ON "
      "ALL TABLES IN SCHEMA lattice TO app");
  bool may_ask_system = true;
  SUBCASE("as documented") {}
  SUBCASE("where even pg_control_system() is withheld") {
    shared_server().sql(database, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    may_ask_system = false;
  }
  std::string url = shared_server().url(database);
  url.replace(url.find("lattice@"), 7, "app");
  {
    PostgresWorld world(url);
    auto log = world.open_log("a");
    (void)head(world, *log);
    CHECK((log->server().system != 0) == may_ask_system);
    CHECK(log->server().timeline == 1);
    Chain chain(log->id());
    must_append(world, *log, chain, {put_record(2, "k", "v")});
    CHECK(await_status(world, [&](StatusCallback done) { log->barrier(std::move(done)); }).ok());
    check_whole_log(world, *log, chain);
  }
  shared_server().sql(database, "DROP OWNED BY app; DROP ROLE app");
}

TEST_CASE("postgres schema: servers that cannot keep the promise are not written to") {
  PostgresServer server;
  const std::string database = server.create_database();
  const std::string url = server.url(database);
  const auto refused = [&](const PgDurability& durability, const char* names) {
    const Status status = open_status(url, durability, std::chrono::milliseconds(1500));
    CHECK_MESSAGE(status.detail().find(names) != std::string::npos, status.detail());
    return status.error() == Error::unhealthy;
  };
  SUBCASE("fsync") {
    server.reload("fsync = off");
    server.stop();
    server.start();
    CHECK(refused({}, "fsync"));
  }
  SUBCASE("full_page_writes") {
    server.reload("full_page_writes = off");
    server.stop();
    server.start();
    CHECK(refused({}, "full_page_writes"));
  }
  SUBCASE("read-only") {
    server.sql("postgres",
               "ALTER DATABASE " + database + " SET default_transaction_read_only = on");
    CHECK(refused({}, "read-only"));
  }
  SUBCASE("quorum") {
    CHECK(refused({PgDurabilityMode::quorum, 2}, "ANY 1 (...)"));
    CHECK(open_status(url, {PgDurabilityMode::quorum, 1}).ok());
  }
  SUBCASE("a role's setting is overridden") {
    server.sql("postgres", "ALTER ROLE lattice SET synchronous_commit = off");
    CHECK(open_status(url).ok());
  }
}

TEST_CASE("postgres schema: the server comes up after us") {
  PostgresServer server;
  const std::string database = server.create_database();
  server.stop();
  loop::Loop loop;
  PostgresOptions options;
  options.url = server.url(database);
  auto store = std::move(*PostgresStore::create(loop, options));
  std::optional<Status> done;
  store->open([&](Status status) {
    done = std::move(status);
    loop.stop();
  });
  auto timer = loop.after(std::chrono::milliseconds(300), [&] { loop.stop(); });
  loop.run();
  CHECK_FALSE(done);
  CHECK(store->health().error() == Error::backend_unavailable);
  CHECK(store->health().detail().find("refused") != std::string::npos);
  server.start();
  timer = loop.after(std::chrono::seconds(20), [&] { loop.stop(); });
  loop.run();
  REQUIRE(done);
  CHECK(done->ok());
  timer.reset();
}

TEST_CASE("postgres schema: names are resolved, sockets work, nonsense is refused at once") {
  const std::string database = shared_server().create_database();
  std::string url = shared_server().url(database);
  url.replace(url.find("127.0.0.1"), 9, "localhost");
  CHECK(open_status(url).ok());
  CHECK(open_status(shared_server().socket_url(database)).ok());
  CHECK(open_status("postgresql://[::1").error() == Error::invalid_argument);
  const Status status = open_status("postgresql://lattice@no-such-host.invalid/db", {},
                                    std::chrono::milliseconds(1500));
  CHECK(status.error() == Error::backend_unavailable);
  CHECK(status.detail().find("no-such-host.invalid") != std::string::npos);
}

TEST_CASE("postgres schema: a full data volume refuses definitely and says so") {
  TempFolder folder;
  const std::string mounted = folder.path() + "/small";
  std::filesystem::create_directory(mounted);
  if (mount("none", mounted.c_str(), "tmpfs", 0, "size=12m") != 0) {
    MESSAGE("NOT RUN: mounting a small tmpfs needs root");
    return;
  }
  const passwd* owner = getpwnam("postgres");
  REQUIRE(chown(mounted.c_str(), owner->pw_uid, owner->pw_gid) == 0);
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  {
    PostgresServer server;
    server.sql("postgres", "CREATE TABLESPACE small LOCATION '" + mounted + "'");
    server.sql("postgres", "CREATE DATABASE full_up TABLESPACE small");
    PostgresWorld world(server.url("full_up"));
    auto log = world.open_log("a");
    Chain chain(log->id());
    replica::AppendReply reply;
    for (int i = 0; i < 200; ++i) {
      auto batch = chain.next({put_record(i + 2, "k", std::string(100'000, 'v'))});
      reply = append(world, *log, batch);
      if (reply.outcome != replica::AppendOutcome::committed) break;
      chain.advance(*batch);
    }
    CHECK(reply.outcome == replica::AppendOutcome::unknown);
    CHECK(reply.definite_error);
    CHECK(reply.detail.error() == Error::backend_full);
    CHECK(reply.detail.detail().find("free space") != std::string::npos);
    check_whole_log(world, *log, chain);
  }
  CHECK(umount(mounted.c_str()) == 0);
}

TEST_CASE("postgres schema: the views answer what is there and what happened") {
  const std::string database = shared_server().create_database();
  PostgresWorld world(shared_server().url(database));
  auto log = world.open_log("a");
  Chain chain(log->id());
  const auto lease_record = [](keyspace::RecordKind kind, int64_t lease, int64_t number) {
    keyspace::Record record;
    record.kind = kind;
    record.revision = Revision(1);
    record.lease = LeaseId(lease);
    record.number = number;
    return record;
  };
  keyspace::Record update = put_record(4, "a", "2");
  update.create_revision = Revision(2);
  update.version = 2;
  keyspace::Record gone = put_record(5, "b", "");
  gone.kind = keyspace::RecordKind::tombstone;
  must_append(world, *log, chain,
              {lease_record(keyspace::RecordKind::lease_grant, 7, 60),
               lease_record(keyspace::RecordKind::lease_grant, 8, 60), put_record(2, "a", "1")});
  must_append(world, *log, chain,
              {put_record(3, "b", "1"), update,
               lease_record(keyspace::RecordKind::lease_checkpoint, 7, 31)});
  must_append(world, *log, chain, {gone, lease_record(keyspace::RecordKind::lease_revoke, 8, 0)});
  const auto sql = [&](const char* text) { return shared_server().sql(database, text); };
  CHECK(sql("SELECT tenant, key, value, revision, version FROM lattice.keys") == "a|a|2|4|2\n");
  CHECK(sql("SELECT lease, granted_ttl_seconds, checkpoint_seconds FROM lattice.leases") ==
        "7|60|31\n");
  CHECK(sql("SELECT key, revision, change, seq FROM lattice.history ORDER BY revision") ==
        "a|2|create|1\nb|3|create|2\na|4|update|2\nb|5|delete|3\n");
}

TEST_CASE("postgres schema: rows that Lattice never wrote end a load") {
  const char* edits[] = {
      "UPDATE lattice.record SET kind = 77 WHERE seq = 1",
      "UPDATE lattice.record SET key = '' WHERE seq = 1",
      "UPDATE lattice.record SET idx = 5 WHERE seq = 1",
      "UPDATE lattice.batch SET digest = 'x' WHERE seq = 1",
      "UPDATE lattice.batch SET record_count = -1 WHERE seq = 1",
      "DELETE FROM lattice.batch WHERE seq = 1",
  };
  for (const char* edit : edits) {
    const std::string database = shared_server().create_database();
    PostgresWorld world(shared_server().url(database));
    const TwoPuts log(world);
    CHECK(log.load().ok());
    shared_server().sql(database, edit);
    if (std::string_view(edit).substr(0, 6) == "DELETE") {
      // Batch 2's rows come with its header; batch 1's lie below the first header and are not read.
      CHECK(log.load().ok());
    } else {
      CHECK_MESSAGE(log.load().error() == Error::backend_corrupt, edit);
    }
  }
}

TEST_CASE("postgres schema: synchronous_standby_names as the server reads it") {
  CHECK(synchronous_standbys("") == 0);
  CHECK(synchronous_standbys("  ") == 0);
  CHECK(synchronous_standbys("a, b") == 1);
  CHECK(synchronous_standbys("*") == 1);
  CHECK(synchronous_standbys("2 (a, b, c)") == 2);
  CHECK(synchronous_standbys("FIRST 3 (a, b, c)") == 3);
  CHECK(synchronous_standbys("any 2 (a, b, c)") == 2);
  CHECK(synchronous_standbys("first") == 1);
  CHECK(synchronous_standbys("ANY 2(*)") == 2);
  CHECK(synchronous_standbys("\"2 (weird\"") == 1);
}

}  // namespace
}  // namespace lattice::backends
