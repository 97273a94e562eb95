#include "server/store.h"

#include "backends/sqlite/sqlite_store.h"
#include "server/memory_store.h"
#include "server/postgres_store.h"

namespace lattice::server {
namespace {

class SqliteKind final : public Store {
 public:
  SqliteKind(std::unique_ptr<backends::SqliteStore> store, const StoreSurroundings& around)
      : around_(around), store_(std::move(store)), directory_(store_->directory(post())) {}
  void open(StatusCallback done) override {
    around_.environment.defer([done = std::move(done)]() mutable { done({}); });
  }
  void open_log(std::string_view tenant, Callback<OpenedLog> done) override {
    Result<std::unique_ptr<replica::Log>> log = store_->open_log(tenant, post());
    Result<OpenedLog> opened = log.ok() ? Result<OpenedLog>(this->opened(std::move(*log)))
                                        : Result<OpenedLog>(log.status());
    around_.environment.defer([done = std::move(done), opened = std::move(opened)]() mutable {
      done(std::move(opened));
    });
  }
  OpenedLog open_listed(const backends::TenantRow& tenant) override {
    return opened(store_->open_log(tenant, post()));
  }
  backends::TenantDirectory& directory() override { return *directory_; }

 private:
  backends::Post post() const {
    return [&loop = around_.loop](absl::AnyInvocable<void()> task) { loop.post(std::move(task)); };
  }
  OpenedLog opened(std::unique_ptr<replica::Log> log) const {
    return {std::move(log), nullptr, store_->cluster_id(), {}, nullptr};
  }

  const StoreSurroundings around_;
  std::unique_ptr<backends::SqliteStore> store_;
  std::unique_ptr<backends::TenantDirectory> directory_;
};

backends::FsyncPolicy fsync_policy(const config::Durability& durability) {
  switch (durability.fsync_policy) {
    case config::FsyncPolicy::never:
      return backends::FsyncPolicy::never;
    case config::FsyncPolicy::interval:
      return backends::FsyncPolicy::interval;
    case config::FsyncPolicy::always:
      break;
  }
  // Asynchronous: acknowledged before the flush, which follows soon.
  return durability.mode == config::DurabilityMode::async ? backends::FsyncPolicy::interval
                                                          : backends::FsyncPolicy::always;
}

Result<std::unique_ptr<Store>> open_sqlite(const config::Config& config,
                                           const StoreSurroundings& around) {
  const backends::SqliteOptions options = sqlite_options(config);
  auto store = backends::SqliteStore::open(options);
  if (!store.ok()) return store.status();
  if (options.fsync != backends::FsyncPolicy::always) {
    around.log.warn(
        "writes are acknowledged before they are on the disk; a power cut can lose them");
  }
  return std::unique_ptr<Store>(std::make_unique<SqliteKind>(std::move(*store), around));
}

}  // namespace

backends::SqliteOptions sqlite_options(const config::Config& config) {
  backends::SqliteOptions options;
  options.folder = config.paths.wal_dir;
  options.file_name = config.backend.sqlite_file;
  options.fsync = fsync_policy(config.durability);
  return options;
}

Result<std::unique_ptr<Store>> open_store(const config::Config& config,
                                          const StoreSurroundings& around) {
  switch (config.backend.kind) {
    case config::BackendKind::memory:
      return std::unique_ptr<Store>(make_memory_store(around.environment));
    case config::BackendKind::sqlite:
      return open_sqlite(config, around);
    case config::BackendKind::postgresql:
      return make_postgres_store(config, around);
  }
  return Error::internal;
}

}  // namespace lattice::server
