#include "server/store.h"

#include "backends/memory/memory_store.h"
#include "backends/sqlite/sqlite_store.h"
#include "server/postgres_store.h"

namespace lattice::server {
namespace {

class MemoryKind final : public Store {
 public:
  explicit MemoryKind(replica::Environment& environment)
      : environment_(environment), store_(environment) {}
  void open_log(std::string_view tenant, Callback<OpenedLog> done) override {
    OpenedLog opened{
        store_.open_log(tenant, environment_), nullptr, store_.cluster_id(), {}, nullptr};
    environment_.defer([done = std::move(done), opened = std::move(opened)]() mutable {
      done(std::move(opened));
    });
  }

 private:
  replica::Environment& environment_;
  backends::MemoryStore store_;
};

class SqliteKind final : public Store {
 public:
  SqliteKind(std::unique_ptr<backends::SqliteStore> store, const StoreSurroundings& around)
      : around_(around), store_(std::move(store)) {}
  void open_log(std::string_view tenant, Callback<OpenedLog> done) override {
    auto post = [&loop = around_.loop](absl::AnyInvocable<void()> task) {
      loop.post(std::move(task));
    };
    Result<std::unique_ptr<replica::Log>> log = store_->open_log(tenant, post);
    Result<OpenedLog> opened =
        log.ok() ? Result<OpenedLog>(
                       OpenedLog{std::move(*log), nullptr, store_->cluster_id(), {}, nullptr})
                 : Result<OpenedLog>(log.status());
    around_.environment.defer([done = std::move(done), opened = std::move(opened)]() mutable {
      done(std::move(opened));
    });
  }

 private:
  const StoreSurroundings around_;
  std::unique_ptr<backends::SqliteStore> store_;
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
  backends::SqliteOptions options;
  options.folder = config.paths.wal_dir;
  options.file_name = config.backend.sqlite_file;
  options.fsync = fsync_policy(config.durability);
  auto store = backends::SqliteStore::open(options);
  if (!store.ok()) return store.status();
  if (options.fsync != backends::FsyncPolicy::always) {
    around.log.warn(
        "writes are acknowledged before they are on the disk; a power cut can lose them");
  }
  return std::unique_ptr<Store>(std::make_unique<SqliteKind>(std::move(*store), around));
}

}  // namespace

Result<std::unique_ptr<Store>> open_store(const config::Config& config,
                                          const StoreSurroundings& around) {
  switch (config.backend.kind) {
    case config::BackendKind::memory:
      return std::unique_ptr<Store>(std::make_unique<MemoryKind>(around.environment));
    case config::BackendKind::sqlite:
      return open_sqlite(config, around);
    case config::BackendKind::postgresql:
      return make_postgres_store(config, around);
  }
  return Error::internal;
}

}  // namespace lattice::server
