#include "server/postgres_store.h"

#include "backends/postgres/postgres_store.h"

namespace lattice::server {
namespace {

class PostgresKind final : public Store {
 public:
  explicit PostgresKind(std::unique_ptr<backends::PostgresStore> store)
      : store_(std::move(store)) {}

  void open(StatusCallback done) override {
    store_->open([this, done = std::move(done)](Status status) mutable {
      if (status.ok() && directory_ == nullptr) {
        directory_ = store_->directory();
        moves_ = store_->moves();
        sessions_ = store_->open_sessions();
      }
      done(std::move(status));
    });
  }
  void open_log(std::string_view tenant, Callback<OpenedLog> done) override {
    open([this, tenant = std::string(tenant), done = std::move(done)](Status status) mutable {
      if (!status.ok()) return done(std::move(status));
      store_->open_log(tenant, [this, done = std::move(done)](
                                   Result<std::unique_ptr<replica::Log>> log) mutable {
        if (!log.ok()) return done(log.status());
        done(opened(std::move(*log)));
      });
    });
  }
  OpenedLog open_listed(const backends::TenantRow& tenant) override {
    return opened(store_->open_log(tenant));
  }
  backends::TenantDirectory& directory() override { return *directory_; }
  backends::TenantMoves* moves() override { return moves_.get(); }
  OpenedLog without_log() override {
    return OpenedLog{.log = nullptr,
                     .sessions = sessions_.get(),
                     .cluster_id = store_->cluster_id(),
                     .cluster_secret = store_->cluster_secret(),
                     .fanout = nullptr};
  }
  Status health() const override { return store_->health(); }
  Status reachable() const override {
    if (store_->reachable()) return {};
    return {Error::backend_unavailable, std::string(replica::unreachable_reason)};
  }

 private:
  OpenedLog opened(std::unique_ptr<replica::Log> log) {
    OpenedLog opened = without_log();
    opened.fanout = store_->open_fanout(log->id());
    opened.log = std::move(log);
    return opened;
  }

  std::unique_ptr<backends::PostgresStore> store_;
  std::unique_ptr<backends::TenantDirectory> directory_;
  std::unique_ptr<backends::TenantMoves> moves_;
  std::unique_ptr<replica::Sessions> sessions_;  // of all tenants
};

}  // namespace

Result<std::unique_ptr<Store>> make_postgres_store(const config::Config& config,
                                                   const StoreSurroundings& around) {
  backends::PostgresOptions options;
  options.url = config.backend.url;
  if (config.durability.mode == config::DurabilityMode::async) {
    options.durability.mode = backends::PgDurabilityMode::async;
    around.log.warn(
        "writes are acknowledged before PostgreSQL has flushed them; a crash can lose them");
  }
  if (config.durability.mode == config::DurabilityMode::quorum) {
    options.durability.mode = backends::PgDurabilityMode::quorum;
    options.durability.quorum_size = config.durability.quorum_size;
  }
  options.warn = [&log = around.log](const std::string& text) { log.warn(text); };
  options.database = around.dependencies.postgresql;
  options.append_connections = config.backend.pool_size;
  auto store = backends::PostgresStore::create(around.loop, options);
  if (!store.ok()) return store.status();
  return std::unique_ptr<Store>(std::make_unique<PostgresKind>(std::move(*store)));
}

}  // namespace lattice::server
