#include "backends/memory/memory_store.h"

#include "backends/log_suite.h"
#include "backends/queue_environment.h"
#include "backends/session_suite.h"

namespace lattice::backends {
namespace {

class MemoryWorld final : public LogWorld {
 public:
  std::unique_ptr<replica::Log> open_log(std::string_view tenant) override {
    return store_.open_log(tenant, environment_);
  }
  std::unique_ptr<replica::Sessions> open_sessions() { return store_.open_sessions(environment_); }
  void turn() override { environment_.turn(); }
  MemoryStore& store() { return store_; }

 private:
  QueueEnvironment environment_;
  MemoryStore store_{environment_};
};

TEST_CASE("memory: the log suite") {
  run_log_suite([] { return std::make_unique<MemoryWorld>(); });
}

TEST_CASE("memory: the session suite") {
  MemoryWorld world;
  auto sessions = world.open_sessions();
  run_session_suite(world, *sessions);
}

TEST_CASE("memory: a store has a cluster id and lists its tenants") {
  MemoryWorld world;
  CHECK(world.store().cluster_id() != 0);
  auto b = world.open_log("b");
  auto a = world.open_log("a");
  auto again = world.open_log("b");
  CHECK(world.store().tenants() == std::vector<std::string>{"a", "b"});
  CHECK(b->id() == again->id());
  CHECK(a->id() != b->id());
}

}  // namespace
}  // namespace lattice::backends
