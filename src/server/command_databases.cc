#include "server/command_databases.h"

#include <utility>

namespace lattice::server {

Result<OpenedDatabase*> CommandDatabases::open(const std::string& backend) {
  const auto found = opened_.find(backend);
  if (found != opened_.end()) return found->second.get();
  Result<std::unique_ptr<OpenedDatabase>> opened =
      OpenedDatabase::open(config_, backend, blocking_);
  if (!opened.ok()) return opened.status();
  return (opened_[backend] = std::move(*opened)).get();
}

Result<CommandDatabases::Found> CommandDatabases::find(const std::string& tenant, Wanted wanted) {
  Status trouble;
  for (const std::string& backend : names()) {
    const Result<OpenedDatabase*> database = open(backend);
    Result<backends::TenantList> all =
        database.ok() ? (*database)->list() : Result<backends::TenantList>(database.status());
    if (!all.ok()) {
      trouble = all.status();
      continue;
    }
    for (backends::TenantRow& row : all->tenants) {
      if (row.name == tenant && wanted(**database, row)) return Found{*database, std::move(row)};
    }
  }
  if (!trouble.ok()) return trouble;
  return Status(Error::tenant_unknown, "there is no tenant \"" + tenant + "\"");
}

Result<CommandDatabases::Found> CommandDatabases::find_active(const std::string& tenant) {
  return find(tenant, [](const OpenedDatabase&, const backends::TenantRow& row) {
    return row.state == backends::TenantState::active;
  });
}

}  // namespace lattice::server
