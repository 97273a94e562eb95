#include "backends/sqlite/sqlite_store.h"

#include "backends/sqlite/sqlite_directory.h"
#include "backends/sqlite/sqlite_log.h"

namespace lattice::backends {

SqliteStore::SqliteStore(std::shared_ptr<SqliteEngine> engine) : engine_(std::move(engine)) {}
SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const SqliteOptions& options) {
  auto engine = SqliteEngine::open(options);
  if (!engine.ok()) return engine.status();
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(*engine)));
}

uint64_t SqliteStore::cluster_id() const { return engine_->cluster_id(); }

Result<std::unique_ptr<replica::Log>> SqliteStore::open_log(std::string_view tenant, Post post) {
  auto info = engine_->open_log(tenant);
  if (!info.ok()) return info.status();
  return make_sqlite_log(engine_, *info, std::move(post));
}

std::unique_ptr<replica::Log> SqliteStore::open_log(const TenantRow& tenant, Post post) {
  return make_sqlite_log(engine_, {tenant.log_no, tenant.log_id}, std::move(post));
}

std::unique_ptr<TenantDirectory> SqliteStore::directory(Post post) {
  return make_sqlite_directory(engine_, std::move(post));
}

Result<std::vector<std::string>> SqliteStore::tenants() { return engine_->tenants(); }

}  // namespace lattice::backends
