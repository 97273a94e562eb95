#include "server/tenant_table.h"

namespace lattice::server {

TenantTable::TenantTable(std::string default_tenant)
    : default_name_(std::move(default_tenant)),
      absence_(Error::backend_unavailable, "the server is starting") {}

void TenantTable::add(const std::string& name, std::unique_ptr<etcd::Tenant> tenant) {
  if (name == default_name_) default_ = tenant.get();
  tenants_.emplace(name, std::move(tenant));
}

// Requests carry no tenant of their own yet: all are the default tenant's.
Result<etcd::Tenant*> TenantTable::find(const proxy::ServerStream&) { return find_default(); }

Result<etcd::Tenant*> TenantTable::find_default() {
  if (default_ == nullptr) return absence_;
  return default_;
}

}  // namespace lattice::server
