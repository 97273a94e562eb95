#include "backends/log_suite.h"
#include "backends/sqlite/sqlite_directory.h"
#include "backends/sqlite_world.h"
#include "backends/tenants_suite.h"

namespace lattice::backends {
namespace {

// A world whose directory answers when the world turns.
struct TenantsWorld {
  SqliteWorld world;
  QueueEnvironment& environment() { return world.environment(); }
  Post post() {
    return [this](absl::AnyInvocable<void()> task) { environment().post(std::move(task)); };
  }
};

TEST_CASE("sqlite: the list of tenants") {
  TenantsWorld tenants;
  check_list(tenants.world, *tenants.world.store().directory(tenants.post()));
}

TEST_CASE("sqlite: the list of tenants beside the process that has the lock") {
  TenantsWorld tenants;
  auto beside = open_sqlite_directory_beside(tenants.world.options(), tenants.post());
  REQUIRE(beside.ok());
  check_list(tenants.world, **beside);
}

TEST_CASE("sqlite: a removed tenant's rows go, and its identity is never used again") {
  TenantsWorld tenants;
  auto directory = tenants.world.store().directory(tenants.post());
  check_removal(tenants.world, *directory);
  CHECK(run_sql(tenants.world.file(), "SELECT DISTINCT log_no FROM record") == "1\n");
  CHECK(run_sql(tenants.world.file(), "SELECT DISTINCT log_no FROM batch") == "1\n");
}

TEST_CASE("sqlite: an older file is not changed beside its server") {
  TenantsWorld tenants;
  run_sql(tenants.world.file(), "UPDATE meta SET value = '3' WHERE key = 'schema_version'");
  auto beside = open_sqlite_directory_beside(tenants.world.options(), tenants.post());
  CHECK(beside.error() == Error::backend_schema_newer);
}

TEST_CASE("limits are stored as text, and what is no limit is not believed") {
  const TenantLimitValues limits{{"keys_max", 5}, {"quota_bytes", -1}};
  CHECK(limits_to_text(limits) == "keys_max=5 quota_bytes=-1");
  CHECK(limits_from_text("keys_max=5 quota_bytes=-1") == limits);
  CHECK(limits_from_text("") == TenantLimitValues());
  CHECK(limits_from_text("of_the_future=7")->at("of_the_future") == 7);
  for (const auto* text : {"keys_max", "keys_max=", "=5", "keys_max=5x", "a=1 a=2", "a=1  b=2"}) {
    CHECK_MESSAGE(!limits_from_text(text), text);
  }
}

}  // namespace
}  // namespace lattice::backends
