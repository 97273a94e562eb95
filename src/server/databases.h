// Every database of this process: [backend], which the server has opened, and those of [backends],
// each with its session, list, place at the node port and tenants. One that is away is tried
// again for as long as the process lives; the tenants of the others do not notice.
//
// Thread: the owner's loop, which is the first worker's.
// Ownership: owns the tenants of all, and everything else of those of [backends].
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "server/tenant_catalog.h"
#include "server/tenant_manager.h"
#include "server/tls_sources.h"

namespace lattice::server {

class Databases {
 public:
  struct Parts {
    const config::Config& config;
    SharedTelemetry& telemetry;
    Store& store;      // of [backend]
    NodeLinks& links;  // likewise
    NodePort& node_port;
    Workers& workers;
    const TlsSources& tls;
    const Dependencies& dependencies;
    replica::Options options;
    TenantLimits limits;  // of tenants that have none of their own
  };
  // `default_log`: of [tenants] default_tenant, in [backend].
  Databases(Parts parts, OpenedLog default_log);
  ~Databases();

  void start();
  RunningTenant& default_tenant() { return first_.default_tenant(); }
  void set_limits(const TenantLimits& limits);
  // Not null.
  void set_documents(std::shared_ptr<const control::Documents> documents);
  // Those in memory that are not on their way out of it.
  void each_running(absl::FunctionRef<void(RunningTenant&)> visit);
  // Null: there is none of that name.
  RunningTenant* find_running(std::string_view name);
  void upkeep();
  void stop(loop::Task done);

 private:
  class Further;

  const Parts parts_;
  TenantCatalog catalog_;
  TenantManager first_;
  std::vector<std::unique_ptr<Further>> further_;
  size_t stops_missing_ = 0;
};

}  // namespace lattice::server
