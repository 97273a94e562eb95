#include "backends/log_suite.h"
#include "backends/postgres_world.h"
#include "backends/tenants_suite.h"

namespace lattice::backends {
namespace {

TEST_CASE("postgres: the list of tenants") {
  PostgresWorld world;
  check_list(world, *world.store().directory());
}

TEST_CASE("postgres: a removed tenant's rows go, and its identity is never used again") {
  const std::string database = shared_server().create_database();
  PostgresWorld world(shared_server().url(database));
  auto directory = world.store().directory();
  check_removal(world, *directory);
  CHECK(shared_server().sql(database, "SELECT DISTINCT log_no FROM lattice.record") == "1\n");
  CHECK(shared_server().sql(database, "SELECT DISTINCT log_no FROM lattice.batch") == "1\n");
}

TEST_CASE("postgres: what a removal deletes is no lost history to those who still look") {
  PostgresWorld world;
  auto directory = world.store().directory();
  auto log = world.open_log("a");
  Chain chain(log->id());
  must_append(world, *log, chain, {put_record(2, "k", "v")});
  const auto head = [&] {
    std::optional<Result<replica::LogHead>> reply;
    log->head([&](Result<replica::LogHead> seen) { reply = std::move(seen); });
    return await(world, reply);
  };
  REQUIRE(head().ok());
  CHECK(head()->newest.seq == Seq(1));
  CHECK(remove_tenant(world, *directory, "a").ok());
  CHECK(head().error() == Error::tenant_unknown);
  while (sweep_tenant(world, *directory, 1)) {
  }
  CHECK(head().error() == Error::tenant_unknown);
}

}  // namespace
}  // namespace lattice::backends
