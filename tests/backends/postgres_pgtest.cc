#include "backends/log_suite.h"
#include "backends/postgres_world.h"
#include "backends/session_suite.h"

namespace lattice::backends {
namespace {

using replica::AppendOutcome;

TEST_CASE("postgres: the log suite") {
  run_log_suite([] { return std::make_unique<PostgresWorld>(); });
}

TEST_CASE("postgres: the session suite") {
  PostgresWorld world;
  auto sessions = world.store().open_sessions();
  run_session_suite(world, *sessions);
}

TEST_CASE("postgres: what a process of schema version 5 announces counts for its one log") {
  const std::string database = shared_server().create_database();
  PostgresWorld world(shared_server().url(database));
  auto sessions = world.store().open_sessions();
  shared_server().sql(database,
                      "INSERT INTO lattice.session (incarnation, address, announced_seq,"
                      " announced_digest) VALUES (decode(repeat('05', 16), 'hex'), 'x', 9,"
                      " decode(repeat('ab', 32), 'hex'))");
  const auto row = read_session(world, *sessions, incarnation_of(5), replica::LogId{1});
  REQUIRE(row.has_value());
  CHECK(row->announced.seq == Seq(9));
}

TEST_CASE("postgres: the announcements of a session that has ended are forgotten") {
  const std::string database = shared_server().create_database();
  PostgresWorld world(shared_server().url(database));
  auto sessions = world.store().open_sessions();
  const auto open = [&](uint8_t fill) {
    return await_status(world, [&](StatusCallback done) {
      sessions->open(incarnation_of(fill), {"n", "", {}}, std::move(done));
    });
  };
  const replica::Announcement news{replica::LogId{1}, {Seq(1), {}}};
  for (const uint8_t fill : {1, 2}) {
    REQUIRE(open(fill).ok());
    REQUIRE(renew(world, *sessions, incarnation_of(fill), {news}).ok());
  }
  REQUIRE(declare_dead(world, *sessions, incarnation_of(1), 1));
  REQUIRE(open(3).ok());
  CHECK(shared_server().sql(database, "SELECT DISTINCT incarnation FROM lattice.announced") ==
        "\\x02020202020202020202020202020202\n");
}

TEST_CASE("postgres: a process that died long ago is not listed") {
  const std::string database = shared_server().create_database();
  PostgresWorld world(shared_server().url(database));
  auto sessions = world.store().open_sessions();
  for (const uint8_t fill : {1, 2}) {
    CHECK(await_status(world, [&](StatusCallback done) {
            sessions->open(incarnation_of(fill), {"n", "", {}}, std::move(done));
          }).ok());
  }
  shared_server().sql(database,
                      "UPDATE lattice.session SET renewed_at = now() - interval '11 seconds'"
                      " WHERE incarnation = '\\x01010101010101010101010101010101'");
  const auto rows = list_sessions(world, *sessions);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].incarnation == incarnation_of(2));
  // For everything that decides, it still lives.
  CHECK(read_session(world, *sessions, incarnation_of(1))->dead == false);
}

}  // namespace
}  // namespace lattice::backends
