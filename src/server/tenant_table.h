// The tenants that one loop serves, each by a handle of that loop's own.
// Thread: its loop's. Ownership: owns the Tenant entries; the Apis behind them outlive the table.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "etcd/services.h"

namespace lattice::server {

class TenantTable final : public etcd::Tenants {
 public:
  explicit TenantTable(std::string default_tenant);

  // Requires: not in the table yet.
  void add(const std::string& name, std::unique_ptr<etcd::Tenant> tenant);
  // Of a tenant that is in the table.
  void set_limits(const std::string& name, SharedLimits limits);
  // What is answered for tenants that are not in the table (yet).
  void set_absence(Status why) { absence_ = std::move(why); }

  Result<etcd::Tenant*> find(const proxy::ServerStream& stream) override;
  Result<etcd::Tenant*> find_default() override;

 private:
  const std::string default_name_;
  std::map<std::string, std::unique_ptr<etcd::Tenant>> tenants_;
  etcd::Tenant* default_ = nullptr;
  Status absence_;
};

}  // namespace lattice::server
