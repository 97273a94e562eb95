// The PostgreSQL store, as the server uses it.
#include <optional>

#include "backends/postgres_fixture.h"
#include "config/load.h"
#include "server/loop_environment.h"
#include "server/store.h"

namespace lattice::server {

// A process has one session per database, whatever the number of tenants (log-protocol L1).
TEST_CASE("postgres store: all tenants have the same sessions") {
  backends::PostgresServer database;
  config::Request request;
  request.command_line = {{"backend.url", "backend.url", database.url(database.create_database())}};
  const config::Loaded loaded = config::load(request);
  REQUIRE(loaded.ok());
  auto logger = telemetry::Logger::to_function({}, [](std::string_view) {});
  loop::Loop loop;
  LoopEnvironment environment(loop);
  auto store = open_store(loaded.config, {loop, environment, *logger});
  REQUIRE(store.ok());
  std::vector<OpenedLog> opened;
  auto open = [&](std::string_view tenant) {
    const size_t before = opened.size();
    (*store)->open_log(tenant, [&](Result<OpenedLog> result) {
      REQUIRE(result.ok());
      opened.push_back(std::move(*result));
    });
    const Instant limit = loop.fresh_now() + std::chrono::seconds(20);
    while (opened.size() == before && loop.fresh_now() < limit) loop.turn();
    REQUIRE(opened.size() == before + 1);
  };
  open("first");
  open("second");
  CHECK(opened[0].sessions != nullptr);
  CHECK(opened[1].sessions == opened[0].sessions);
}

}  // namespace lattice::server
