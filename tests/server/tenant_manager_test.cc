// What the list of tenants says holds from the first request on.
#include "server/tenant_manager.h"

#include <doctest/doctest.h>

#include <utility>

#include "server/memory_store.h"
#include "server/running_server.h"
#include "server/tls_sources.h"

namespace lattice::server::testing {
namespace {

// A list that is read as slowly as the test wants.
class SlowDirectory final : public backends::TenantDirectory {
 public:
  explicit SlowDirectory(backends::TenantDirectory& inner) : inner_(inner) {}
  void release() {
    for (auto& each : std::exchange(held_, {})) inner_.list(std::move(each));
  }
  bool asked() const { return !held_.empty(); }

  void version(Callback<int64_t> done) override { inner_.version(std::move(done)); }
  void list(Callback<backends::TenantList> done) override { held_.push_back(std::move(done)); }
  void create(const std::string& name, const backends::TenantLimitValues& limits,
              StatusCallback done) override {
    inner_.create(name, limits, std::move(done));
  }
  void set_limits(const std::string& name, const backends::TenantLimitValues& limits,
                  StatusCallback done) override {
    inner_.set_limits(name, limits, std::move(done));
  }
  void remove(const std::string& name, StatusCallback done) override {
    inner_.remove(name, std::move(done));
  }
  void sweep(int64_t log_no, Callback<bool> done) override {
    inner_.sweep(log_no, std::move(done));
  }

 private:
  backends::TenantDirectory& inner_;
  std::vector<Callback<backends::TenantList>> held_;
};

class SlowStore final : public Store {
 public:
  explicit SlowStore(replica::Environment& environment)
      : inner_(make_memory_store(environment)), slow_(inner_->directory()) {}
  SlowDirectory& slow() { return slow_; }

  void open(StatusCallback done) override { inner_->open(std::move(done)); }
  void open_log(std::string_view tenant, Callback<OpenedLog> done) override {
    inner_->open_log(tenant, std::move(done));
  }
  OpenedLog open_listed(const backends::TenantRow& tenant) override {
    return inner_->open_listed(tenant);
  }
  backends::TenantDirectory& directory() override { return slow_; }

 private:
  const std::unique_ptr<Store> inner_;
  SlowDirectory slow_;
};

TEST_CASE("the default tenant is served when its own limits are known, not before") {
  const config::Config config = test_config();
  const auto log = telemetry::Logger::to_nowhere();
  SharedTelemetry telemetry(*log);
  Workers workers;
  workers.push_back(std::make_unique<Worker>(config, telemetry));
  Worker& worker = *workers.front();
  SlowStore store(worker.environment());
  const auto turns = [&] {
    for (int i = 0; i < 20; ++i) worker.loop().turn();
  };

  OpenedLog opened;
  store.open_log("default", [&](Result<OpenedLog> answer) { opened = std::move(*answer); });
  turns();
  store.slow().set_limits("default", {{"value_bytes_max", 10}, {"watches_max", 3}},
                          [](const Status&) {});
  const TlsSources no_tls;
  NodePort port(config, {worker.loop(), worker.environment(), *log, no_tls});
  auto links =
      NodeLinks::open(config, no_tls, port, {worker.loop(), worker.environment(), *log}, opened);
  REQUIRE(links.ok());
  TenantCatalog catalog(workers, telemetry);
  auto manager = std::make_unique<TenantManager>(
      TenantManager::Parts{config, telemetry, store, **links, workers, catalog, {}, {}},
      std::move(opened));
  catalog.add(config::default_backend, *manager);
  manager->start();
  turns();
  CHECK(store.slow().asked());
  CHECK_FALSE(worker.tenants().find_default().ok());
  store.slow().release();
  turns();
  const Result<etcd::Tenant*> found = worker.tenants().find_default();
  REQUIRE(found.ok());
  CHECK((*found)->gate.limits().watches_max == 3);
  CHECK((*found)->gate.limits().value_bytes_max == 10);

  bool stopped = false;
  manager->stop([&] { stopped = true; });
  for (int i = 0; i < 1000 && !stopped; ++i) worker.loop().turn();
  CHECK(stopped);
  worker.close();
  manager.reset();
}

}  // namespace
}  // namespace lattice::server::testing
