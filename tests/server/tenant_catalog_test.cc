// Where a tenant is, when several databases say something about it.
#include "server/tenant_catalog.h"

#include <doctest/doctest.h>

#include "server/running_server.h"

namespace lattice::server::testing {
namespace {

using backends::TenantRow;
using backends::TenantState;

struct FakeDatabase final : TenantCatalog::Database {
  void keep_only(const TenantNameSet& names) override {
    std::erase_if(served, [&](const auto& name) { return !names.contains(name); });
  }
  void serve(const TenantNameSet& names) override { served = names; }
  void prepare(const TenantNameSet& names) override { prepared = names; }
  void want(const std::string& name) override { wanted.insert(name); }
  bool in_use(const std::string& name) const override { return used.contains(name); }

  TenantNameSet served, prepared, wanted, used;
};

TenantRow row(std::string name, TenantState state, std::string other = "", int64_t epoch = 0) {
  TenantRow made;
  made.name = std::move(name);
  made.state = state;
  made.log_id = {1};
  made.other_backend = std::move(other);
  made.routing_epoch = epoch;
  return made;
}

struct World {
  World() {
    workers.push_back(std::make_unique<Worker>(config, telemetry));
    catalog = std::make_unique<TenantCatalog>(workers, telemetry);
    catalog->add("default", first);
    catalog->add("b", second);
  }
  ~World() { workers.front()->close(); }
  void manifest(const std::string& tenant, const std::string& backend, int64_t epoch) {
    auto documents = std::make_shared<control::Documents>();
    documents->tenants[tenant].backend = backend;
    documents->tenants[tenant].routing_epoch = epoch;
    catalog->set_documents(std::move(documents));
  }

  const config::Config config = test_config();
  const std::shared_ptr<telemetry::Logger> log = telemetry::Logger::to_nowhere();
  SharedTelemetry telemetry{*log};
  Workers workers;
  FakeDatabase first, second;
  std::unique_ptr<TenantCatalog> catalog;
};

const TenantNameSet none;
const TenantNameSet a = {"a"};

TEST_CASE("a move, as the lists show it step by step") {
  World world;
  FakeDatabase& from = world.first;
  FakeDatabase& to = world.second;
  world.catalog->set_list(from, {row("a", TenantState::active)});
  world.catalog->set_list(to, {});
  CHECK(from.served == a);
  from.used = a;
  world.catalog->set_list(from, {row("a", TenantState::moving, "b", 1)});
  world.catalog->set_list(to, {row("a", TenantState::arriving, "default", 1)});
  CHECK(from.served == a);
  CHECK(to.served == none);
  CHECK(to.prepared == a);
  world.catalog->set_list(from, {row("a", TenantState::sealing, "b", 1)});
  CHECK(from.served == a);
  // The copy is open, and the old row has not been told yet.
  world.catalog->set_list(to, {row("a", TenantState::active, "default", 1)});
  CHECK(from.served == none);
  CHECK(to.served == a);
  CHECK(to.wanted == a);
  world.catalog->set_list(from, {row("~1~a", TenantState::moved, "b", 1)});
  CHECK(to.served == a);
}

TEST_CASE("a move whose end shows in the old database's list first") {
  World world;
  FakeDatabase& from = world.first;
  FakeDatabase& to = world.second;
  world.catalog->set_list(to, {row("a", TenantState::arriving, "default", 1)});
  world.catalog->set_list(from, {row("a", TenantState::sealing, "b", 1)});
  from.used = to.used = a;
  world.catalog->set_list(from, {row("~1~a", TenantState::moved, "b", 1)});
  CHECK(world.catalog->knows("a"));
  CHECK(from.served == none);
  CHECK(to.served == none);
  CHECK(to.prepared == a);  // the copy that is in memory stays there
  from.used = none;
  SUBCASE("whoever used it goes on with the copy") {}
  SUBCASE("whoever asks meanwhile, too") { world.catalog->want("a"); }
  CHECK(to.wanted == none);
  world.catalog->set_list(to, {row("a", TenantState::active, "default", 1)});
  CHECK(to.served == a);
  CHECK(to.wanted == a);
}

TEST_CASE("a tombstone keeps its name from being unknown while the other list is missing") {
  World world;
  world.catalog->set_list(world.first, {row("~1~a", TenantState::moved, "b", 1)});
  CHECK(world.catalog->knows("a"));
  CHECK(world.first.served == none);
  CHECK_FALSE(world.catalog->complete_but(world.first));
  world.catalog->set_list(world.second, {});
  CHECK_FALSE(world.catalog->knows("a"));  // it was removed there
  CHECK(world.catalog->complete_but(world.first));
}

TEST_CASE("documents that come before the lists take nothing away") {
  World world;
  world.first.served = a;  // the default tenant, say, which is loaded before there is a list
  world.manifest("b", "default", 0);
  CHECK(world.first.served == a);
  world.catalog->set_list(world.first, {row("b", TenantState::active)});
  CHECK(world.first.served == TenantNameSet{"b"});
}

TEST_CASE("nobody serves a name that two databases claim") {
  World world;
  world.catalog->set_list(world.first, {row("a", TenantState::active)});
  world.catalog->set_list(world.second, {row("a", TenantState::active)});
  CHECK(world.first.served == none);
  CHECK(world.second.served == none);
  CHECK(world.catalog->knows("a"));
  // Also if one of them is on the move, with another log.
  TenantRow other = row("a", TenantState::moving, "b", 1);
  other.log_id = {2};
  world.catalog->set_list(world.first, {other});
  CHECK(world.first.served == none);
  CHECK(world.second.served == none);
  world.catalog->set_list(world.second, {});
  CHECK(world.first.served == a);
}

TEST_CASE("the place of the data counts, and a manifest that contradicts it closes the tenant") {
  World world;
  world.catalog->set_list(world.first, {row("a", TenantState::active)});
  world.catalog->set_list(world.second, {});
  world.manifest("a", "default", 0);
  CHECK(world.first.served == a);
  world.manifest("a", "b", 1);
  CHECK(world.first.served == none);
  // It speaks of the time behind the move.
  world.catalog->set_list(world.first, {row("a", TenantState::moving, "b", 1)});
  CHECK(world.first.served == a);
  world.catalog->set_list(world.second, {row("a", TenantState::active, "default", 1)});
  world.catalog->set_list(world.first, {});
  CHECK(world.second.served == a);
  // It speaks of the time before, until its epoch says otherwise.
  world.manifest("a", "default", 0);
  CHECK(world.second.served == a);
  world.manifest("a", "default", 1);
  CHECK(world.second.served == none);
}

}  // namespace
}  // namespace lattice::server::testing
