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

}  // namespace
}  // namespace lattice::backends
