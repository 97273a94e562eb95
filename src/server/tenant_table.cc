#include "server/tenant_table.h"

namespace lattice::server {

TenantTable::TenantTable(std::string default_tenant)
    : default_name_(std::move(default_tenant)),
      absence_(Error::backend_unavailable, "the server is starting") {}

void TenantTable::add(const std::string& name, std::unique_ptr<etcd::Tenant> tenant) {
  if (name == default_name_) default_ = tenant.get();
  tenants_.emplace(name, std::move(tenant));
}

void TenantTable::set_limits(const std::string& name, SharedLimits limits) {
  const auto found = tenants_.find(name);
  if (found != tenants_.end()) found->second->gate.set_limits(std::move(limits));
}

// Requests carry no tenant of their own yet: all are the default tenant's.
Result<etcd::Tenant*> TenantTable::find(const proxy::ServerStream&) { return find_default(); }

Result<etcd::Tenant*> TenantTable::find_default() {
  if (default_ == nullptr) return absence_;
  return default_;
}

}  // namespace lattice::server
