#include "telemetry/tenant_metrics.h"

namespace lattice::telemetry {

TenantMetrics::TenantMetrics(Registry& r)
    : known(r.gauge("lattice_tenants", "Tenants that there are.")),
      loaded(r.gauge("lattice_tenants_loaded", "Tenants that this process has in memory.")),
      requests_(r.counters("lattice_tenant_requests_total", "Calls, by tenant.", {"tenant"},
                           tenants_max + 1)),
      loaded_(r.gauges("lattice_tenant_loaded", "1 while this process has the tenant in memory.",
                       {"tenant"}, tenants_max + 1)),
      revision_(r.gauges("lattice_tenant_revision", "Current revision of the tenant's store.",
                         {"tenant"}, tenants_max + 1)),
      keys_(r.gauges("lattice_tenant_keys", "The tenant's keys.", {"tenant"}, tenants_max + 1)),
      watchers_(r.gauges("lattice_tenant_watchers", "The tenant's watchers at this process.",
                         {"tenant"}, tenants_max + 1)),
      leases_(r.gauges("lattice_tenant_leases", "The tenant's leases that are alive.", {"tenant"},
                       tenants_max + 1)) {}

TenantSeries TenantMetrics::of(const std::string& tenant) {
  std::lock_guard lock(mutex_);
  if (!named_.contains(tenant)) {
    if (named_.size() == tenants_max) {
      return {&requests_.with({"other"}), nullptr, nullptr, nullptr, nullptr, nullptr};
    }
    named_.insert(tenant);
  }
  return {&requests_.with({tenant}), &loaded_.with({tenant}),   &revision_.with({tenant}),
          &keys_.with({tenant}),     &watchers_.with({tenant}), &leases_.with({tenant})};
}

}  // namespace lattice::telemetry
