// How appends end on PostgreSQL when something goes wrong under them (log-protocol P4 to P6).

#include <atomic>
#include <random>
#include <thread>

#include "backends/postgres_intruder.h"
#include "backends/postgres_world.h"
#include "backends/resolve.h"
#include "backends/session_suite.h"

namespace lattice::backends {
namespace {

using replica::AppendOutcome;
using replica::AppendReply;

std::string sessions_of(const std::string& database) {
  return " FROM pg_stat_activity WHERE datname = '" + database +
         "' AND application_name = 'lattice append'";
}

TEST_CASE("postgres outcomes: backends terminated at random") {
  const std::string database = shared_server().create_database();
  PostgresWorld world(shared_server().url(database));
  auto log = world.open_log("a");
  Chain chain(log->id());
  std::atomic<bool> stop{false};
  std::atomic<int> kills{0};
  std::thread killer([&] {
    Intruder intruder(shared_server().url("postgres"));
    std::mt19937 random(7);
    while (!stop) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5 + random() % 60));
      const std::string hit =
          intruder.run("SELECT count(pg_terminate_backend(pid))" + sessions_of(database));
      if (hit == "1") ++kills;
    }
  });
  ResolveCounts counts;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  int64_t revision = 1;
  while (std::chrono::steady_clock::now() < deadline) {
    std::vector<keyspace::Record> records;
    for (int i = 0; i < 20; ++i)
      records.push_back(put_record(++revision, "k", std::string(500, 'v')));
    auto batch = chain.next(std::move(records));
    // Nobody else writes here: a verdict that the batch is not in would be wrong.
    REQUIRE(resolve_append(world, *log, batch, &counts));
    chain.advance(*batch);
  }
  stop = true;
  killer.join();
  MESSAGE("batches ", chain.last().seq.value, ", terminated ", kills.load(), ", unknown ",
          counts.unknown, ", definite ", counts.definite, ", found by look ", counts.found_by_look);
  while (!await_status(world, [&](StatusCallback done) { log->barrier(std::move(done)); }).ok()) {
  }
  CHECK(kills > 20);
  CHECK(counts.unknown > 10);
  check_whole_log(world, *log, chain);
}

TEST_CASE("postgres outcomes: a server that crashes and comes back") {
  PostgresServer server;
  PostgresWorld world(server.url(server.create_database()));
  auto log = world.open_log("a");
  Chain chain(log->id());
  ResolveCounts counts;
  int64_t revision = 1;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) {
      must_append(world, *log, chain, {put_record(++revision, "k", "v")});
    }
    std::optional<AppendReply> reply;
    auto batch = chain.next({put_record(++revision, "k", "v")});
    log->append(batch, [&](AppendReply r) { reply = std::move(r); });
    if (round > 0) world.turn();
    server.stop(SIGQUIT);
    (void)await(world, reply);
    // The answer may have been on its way before the server went: the loss is noticed a turn later.
    for (int turn = 0; turn < 1000 && world.store().health().ok(); ++turn) world.turn();
    CHECK_FALSE(world.store().health().ok());
    // While there is no server, calls end instead of piling up.
    const AppendReply refused = append(world, *log, batch);
    CHECK(refused.outcome == AppendOutcome::unknown);
    CHECK(refused.definite_error);
    CHECK(refused.detail.error() == Error::backend_unavailable);
    server.start();
    REQUIRE(resolve_append(world, *log, batch, &counts));
    chain.advance(*batch);
    CHECK(world.store().health().ok());
  }
  check_whole_log(world, *log, chain);
}

// A batch whose client is gone while its statement still waits at the server.
struct Zombie {
  Zombie() {
    must_append(second, *log, chain, {put_record(2, "k", "v")});
    batch = chain.next({put_record(3, "k", "v")});
  }
  // Appends it for a client that goes when `see` has returned.
  template <class See>
  void leave_behind(See see) {
    PostgresWorld first(shared_server().url(database));
    auto doomed = first.open_log("a");
    (void)head(first, *doomed);
    // Somebody else's row in the place of the batch's record: the append waits for its fate.
    intruder.run("BEGIN; INSERT INTO lattice.record SELECT 1, 2, 0, 1, 3, 0, '', '', 1, 1, 0, 0");
    doomed->append(batch, [](AppendReply) {});
    see(first);
  }

  const std::string database = shared_server().create_database();
  Intruder intruder{shared_server().url(database)};
  PostgresWorld second{shared_server().url(database)};
  std::unique_ptr<replica::Log> log = second.open_log("a");
  Chain chain{log->id()};
  std::shared_ptr<const replica::Batch> batch;
};

// The client is gone, its statement is not: it commits long after a look would have said "not
// there".
TEST_CASE("postgres outcomes: a zombie that commits late loses nothing and doubles nothing") {
  Zombie f;
  f.leave_behind([](PostgresWorld& first) {
    for (int i = 0; i < 20; ++i) first.turn();
  });
  CHECK_FALSE(look(f.second, *f.log, Seq(2)).header.has_value());  // and yet it will be there

  SUBCASE("it wins over the resubmission") {
    std::optional<AppendReply> reply;
    f.log->append(f.batch, [&](AppendReply r) { reply = std::move(r); });
    REQUIRE(f.intruder.wait_for(
        "SELECT count(*)" + sessions_of(f.database) + " AND wait_event_type = 'Lock'", "2"));
    f.intruder.run("ROLLBACK");
    CHECK(await(f.second, reply).outcome == AppendOutcome::rejected);
    CHECK(look(f.second, *f.log, Seq(2)).header->id == f.batch->header.id);
  }
  SUBCASE("it is ended because it blocks the resubmission for too long") {
    std::optional<AppendReply> reply;
    f.log->append(f.batch, [&](AppendReply r) { reply = std::move(r); });
    const AppendReply answer = await(f.second, reply);
    CHECK(f.intruder.run("SELECT count(*)" + sessions_of(f.database)) == "1");
    // What blocks then is a person's transaction, which is left alone: the lock timeout ends the
    // wait with a clean error.
    CHECK(answer.outcome == AppendOutcome::unknown);
    CHECK(answer.definite_error);
    f.intruder.run("ROLLBACK");
    ResolveCounts counts;
    CHECK(resolve_append(f.second, *f.log, f.batch, &counts));
  }
  f.chain.advance(*f.batch);
  check_whole_log(f.second, *f.log, f.chain);
}

// Its server process stands still with the row that the resubmission needs: a signal to end it
// waits with it.
TEST_CASE(
    "postgres outcomes: a zombie that cannot even be ended holds the append up, not for ever") {
  Zombie f;
  pid_t zombie = 0;
  f.leave_behind([&](PostgresWorld& first) {
    const std::string waiting = sessions_of(f.database) + " AND wait_event_type = 'Lock'";
    for (int i = 0; i < 2000 && zombie == 0; ++i) {
      first.turn();
      zombie = std::atoi(f.intruder.run("SELECT pid" + waiting).c_str());
    }
    REQUIRE(zombie > 0);
    kill(zombie, SIGSTOP);
  });
  f.intruder.run("ROLLBACK");
  const auto from = std::chrono::steady_clock::now();
  const AppendReply reply = append(f.second, *f.log, f.batch);
  CHECK(std::chrono::steady_clock::now() - from < std::chrono::seconds(8));
  CHECK(reply.outcome == AppendOutcome::unknown);
  CHECK(reply.definite_error);  // of this submission; the zombie's may still commit
  kill(zombie, SIGCONT);
  ResolveCounts counts;
  CHECK(resolve_append(f.second, *f.log, f.batch, &counts));
  CHECK(f.intruder.wait_for("SELECT count(*)" + sessions_of(f.database), "1"));
  f.chain.advance(*f.batch);
  check_whole_log(f.second, *f.log, f.chain);
}

TEST_CASE("postgres outcomes: a wait for the standby that was cut short is not a commit") {
  PostgresServer server;
  const std::string database = server.create_database();
  PostgresWorld world(server.url(database));
  auto log = world.open_log("a");
  Chain chain(log->id());
  must_append(world, *log, chain, {put_record(2, "k", "v")});
  Intruder intruder(server.url(database));
  server.reload("synchronous_standby_names = 'nobody'");
  REQUIRE(intruder.wait_for("SHOW synchronous_standby_names", "nobody"));

  int64_t revision = 3;
  for (const char* how : {"pg_cancel_backend", "pg_terminate_backend"}) {
    std::optional<AppendReply> reply;
    std::shared_ptr<const replica::Batch> batch;
    const auto in_wait = "SELECT count(*)" + sessions_of(database) + " AND wait_event = 'SyncRep'";
    bool waiting = false;
    // A backend commits without waiting until the checkpointer has read the new setting, too.
    for (int i = 0; i < 2000 && !waiting; ++i) {
      if (reply) {
        REQUIRE(reply->outcome == AppendOutcome::committed);
        chain.advance(*batch);
        batch = nullptr;
      }
      if (!batch) {
        reply.reset();
        batch = chain.next({put_record(revision++, "k", "v")});
        log->append(batch, [&](AppendReply r) { reply = std::move(r); });
      }
      world.turn();
      waiting = intruder.run(in_wait) == "1";
    }
    REQUIRE(waiting);
    CHECK_FALSE(reply);
    intruder.run(std::string("SELECT ") + how + "(pid)" + sessions_of(database));
    const AppendReply answer = await(world, reply);
    CHECK_MESSAGE(answer.outcome == AppendOutcome::unknown, how);
    CHECK_FALSE(answer.definite_error);
    if (std::string(how) == "pg_cancel_backend") {
      CHECK(answer.detail.detail().find("canceling wait") != std::string::npos);
      chain.advance(*batch);  // it is visible here, durable on this server only
    }
  }
  server.reload("");
}

TEST_CASE("postgres outcomes: statement errors are definite") {
  const std::string database = shared_server().create_database();
  PostgresWorld world(shared_server().url(database));
  auto log = world.open_log("a");
  Chain chain(log->id());
  must_append(world, *log, chain, {put_record(2, "k", "v")});
  Intruder intruder(shared_server().url(database));
  intruder.run("ALTER TABLE lattice.record ADD CONSTRAINT tiny CHECK (length(value) < 10)");
  auto batch = chain.next({put_record(3, "k", "far too long a value")});
  const AppendReply reply = append(world, *log, batch);
  CHECK(reply.outcome == AppendOutcome::unknown);
  CHECK(reply.definite_error);
  CHECK(reply.detail.detail().find("23514") != std::string::npos);
  intruder.run("ALTER TABLE lattice.record DROP CONSTRAINT tiny");
  CHECK(append(world, *log, batch).outcome == AppendOutcome::committed);
}

TEST_CASE("postgres outcomes: big values and big batches") {
  PostgresWorld world;
  auto log = world.open_log("a");
  Chain chain(log->id());
  must_append(world, *log, chain, {put_record(2, "k", std::string(3 << 19, '\xff'))});
  std::vector<keyspace::Record> records;
  for (int i = 0; i < 20; ++i) records.push_back(put_record(3 + i, "k", std::string(3 << 19, 'v')));
  must_append(world, *log, chain, std::move(records));
  records.clear();
  for (int i = 0; i < 30'000; ++i) records.push_back(put_record(30 + i, std::to_string(i), "v"));
  must_append(world, *log, chain, std::move(records));
  check_whole_log(world, *log, chain);
}

TEST_CASE("postgres outcomes: renewals and declarations under terminated backends") {
  const std::string database = shared_server().create_database();
  PostgresWorld world(shared_server().url(database));
  auto sessions = world.store().open_sessions();
  const auto mine = incarnation_of(1);
  REQUIRE(await_status(world, [&](StatusCallback done) {
            sessions->open(mine, {"n", "here", {}}, std::move(done));
          }).ok());
  Intruder intruder(shared_server().url(database));
  int known = 0;
  for (int i = 0; i < 60; ++i) {
    if (i % 3 == 0) {
      intruder.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" +
                   database + "' AND application_name = 'lattice session'");
    }
    const Status status = renew(world, *sessions, mine);
    CHECK((status.ok() || status.error() == Error::backend_unavailable));
    if (status.ok()) ++known;
  }
  // Each known renewal counts; an unknown one may.
  const auto row = read_session(world, *sessions, mine);
  REQUIRE(row.has_value());
  CHECK(row->renewals >= known);
  CHECK(known >= 30);
}

}  // namespace
}  // namespace lattice::backends
