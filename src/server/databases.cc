#include "server/databases.h"

#include <utility>

namespace lattice::server {
namespace {

constexpr Duration trouble_interval = std::chrono::seconds(2);

config::Config config_of(config::Config config, const config::Backend& backend) {
  config.backend = backend;
  config.backends.clear();
  config.tenants.create.clear();
  return config;
}

TenantManager::Parts manager_parts(const Databases::Parts& parts, TenantCatalog& catalog) {
  return {parts.config,  parts.telemetry, parts.store,   parts.links,
          parts.workers, catalog,         parts.options, parts.limits};
}

}  // namespace

// One of [backends].
class Databases::Further {
 public:
  Further(const Parts& all, TenantCatalog& catalog, std::string name,
          const config::Backend& backend)
      : all_(all),
        catalog_(catalog),
        name_(std::move(name)),
        config_(config_of(all.config, backend)),
        limits_(all.limits),
        owner_(*all.workers.front()) {
    catalog_.expect(name_);
  }

  void start() {
    Result<std::unique_ptr<Store>> store = open_store(config_, around());
    if (!store.ok()) return fail(store.status());
    store_ = std::move(*store);
    store_->open([this](const Status& status) { on_open(status); });
    watch();
  }
  TenantManager* tenants() { return tenants_.get(); }
  void set_limits(const TenantLimits& limits) {
    limits_ = limits;
    if (tenants_ != nullptr) tenants_->set_limits(limits);
  }
  void set_documents(std::shared_ptr<const control::Documents> documents) {
    documents_ = std::move(documents);
    if (tenants_ != nullptr) tenants_->set_documents(documents_);
  }
  void stop(loop::Task done) {
    stopping_ = true;
    timer_.reset();
    if (tenants_ == nullptr) return owner_.loop().defer(std::move(done));
    tenants_->stop(
        [this, done = std::move(done)]() mutable { links_->when_quiet(std::move(done)); });
  }

 private:
  StoreSurroundings around() {
    return {owner_.loop(), owner_.environment(), all_.telemetry.log,
            all_.dependencies.of_backend(name_)};
  }
  void on_open(const Status& status) {
    if (stopping_) return;
    if (!status.ok()) return fail(status);
    Result<std::unique_ptr<NodeLinks>> links =
        NodeLinks::open(config_, all_.tls, all_.node_port, around(), store_->without_log());
    if (!links.ok()) return fail(links.status());
    links_ = std::move(*links);
    replica::Options options = all_.options;
    options.node = links_->info(owner_.address());
    tenants_ = std::make_unique<TenantManager>(
        TenantManager::Parts{config_, all_.telemetry, *store_, *links_, all_.workers, catalog_,
                             std::move(options), limits_},
        std::nullopt);
    catalog_.add(name_, *tenants_);
    if (documents_ != nullptr) tenants_->set_documents(documents_);
    tenants_->start();
    all_.telemetry.log.info("backend opened", {{"backend", name_}});
  }
  void fail(const Status& status) {
    timer_.reset();
    all_.telemetry.log.error("cannot use the backend; its tenants are not served",
                             {{"backend", name_}, {"cause", status}});
  }
  // The store tries again by itself; here its trouble is told.
  void watch() {
    timer_ = owner_.loop().after(trouble_interval, [this] {
      if (tenants_ != nullptr) return timer_.reset();
      const Status health = store_->health();
      if (!health.ok() && health.detail() != told_) {
        told_ = health.detail();
        all_.telemetry.log.warn("waiting for a backend; its tenants are not served",
                                {{"backend", name_}, {"cause", health}});
      }
      watch();
    });
  }

  const Parts& all_;
  TenantCatalog& catalog_;
  const std::string name_;
  const config::Config config_;
  TenantLimits limits_;
  Worker& owner_;
  std::shared_ptr<const control::Documents> documents_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<NodeLinks> links_;
  std::unique_ptr<TenantManager> tenants_;
  std::unique_ptr<loop::TimerHandle> timer_;
  std::string told_;
  bool stopping_ = false;
};

Databases::Databases(Parts parts, OpenedLog default_log)
    : parts_(std::move(parts)),
      catalog_(parts_.workers, parts_.telemetry),
      first_(manager_parts(parts_, catalog_), std::move(default_log)) {
  catalog_.add(config::default_backend, first_);
  for (const auto& [name, backend] : parts_.config.backends) {
    further_.push_back(std::make_unique<Further>(parts_, catalog_, name, backend));
  }
}

Databases::~Databases() = default;

void Databases::start() {
  for (auto& each : further_) each->start();
  first_.start();
}

void Databases::set_limits(const TenantLimits& limits) {
  first_.set_limits(limits);
  for (auto& each : further_) each->set_limits(limits);
}

void Databases::set_documents(std::shared_ptr<const control::Documents> documents) {
  first_.set_documents(documents);
  for (auto& each : further_) each->set_documents(documents);
  catalog_.set_documents(std::move(documents));
}

void Databases::each_running(absl::FunctionRef<void(RunningTenant&)> visit) {
  first_.each_running(visit);
  for (auto& each : further_) {
    if (each->tenants() != nullptr) each->tenants()->each_running(visit);
  }
}

RunningTenant* Databases::find_running(std::string_view name) {
  RunningTenant* found = nullptr;
  each_running([&](RunningTenant& each) { found = each.name() == name ? &each : found; });
  return found;
}

void Databases::upkeep() {
  first_.upkeep();
  for (auto& each : further_) {
    if (each->tenants() != nullptr) each->tenants()->upkeep();
  }
}

void Databases::stop(loop::Task done) {
  catalog_.stop();
  stops_missing_ = further_.size() + 1;
  const auto shared = std::make_shared<loop::Task>(std::move(done));
  const auto stopped = [this, shared] {
    if (--stops_missing_ == 0) (*shared)();
  };
  for (auto& each : further_) each->stop(stopped);
  first_.stop(stopped);
}

}  // namespace lattice::server
