// The list of tenants in a SQLite file: `lattice tenant` works on it beside a running server, which
// has the folder's lock but lets others write for a moment (the busy timeout waits for it).
//
// Thread: the database's. Each change is one transaction of its own.
#pragma once

#include <string>
#include <string_view>

#include "backends/common/tenants.h"
#include "backends/sqlite/sqlite_database.h"

namespace lattice::backends {

Result<int64_t> tenants_version(Database& database);
Result<TenantList> list_tenants(Database& database);
// Errors: tenant_exists.
Status create_tenant(Database& database, std::string_view name, const TenantLimitValues& limits);
// Errors: tenant_unknown.
Status set_tenant_limits(Database& database, std::string_view name,
                         const TenantLimitValues& limits);
// Errors: tenant_unknown.
Status remove_tenant(Database& database, std::string_view name);
// Some hundred rows; answers whether there are more.
Result<bool> sweep_tenant(Database& database, int64_t log_no);

// Opens the file beside the process that has its lock. Errors: backend_schema_newer and the like,
// also for an older schema, which only the lock's owner brings up to date.
Result<Database> open_tenants_beside(const SqliteOptions& options);

}  // namespace lattice::backends
