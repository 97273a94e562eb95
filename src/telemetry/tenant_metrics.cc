#include "telemetry/tenant_metrics.h"

namespace lattice::telemetry {

TenantMetrics::TenantMetrics(Registry& r)
    : known(r.gauge("lattice_tenants", "Tenants that there are.")),
      loaded(r.gauge("lattice_tenants_loaded", "Tenants that this process has in memory.")),
      requests_(r.counters("lattice_tenant_requests_total", "Calls, by tenant.", {"tenant"},
                           tenants_max + 1)),
      allowed_(r.counters("lattice_ratelimit_allowed_total",
                          "Requests that were within their tenant's limits.", {"tenant"},
                          tenants_max + 1)),
      delayed_(r.counters("lattice_ratelimit_delayed_total",
                          "Requests that had to wait at their tenant's limits.", {"tenant"},
                          tenants_max + 1)),
      rejected_(r.counters("lattice_ratelimit_rejected_total",
                           "Requests that were refused at their tenant's limits.", {"tenant"},
                           tenants_max + 1)),
      loaded_(r.gauges("lattice_tenant_loaded", "1 while this process has the tenant in memory.",
                       {"tenant"}, tenants_max + 1)),
      revision_(r.gauges("lattice_tenant_revision", "Current revision of the tenant's store.",
                         {"tenant"}, tenants_max + 1)),
      keys_(r.gauges("lattice_tenant_keys", "The tenant's keys.", {"tenant"}, tenants_max + 1)),
      watchers_(r.gauges("lattice_tenant_watchers", "The tenant's watchers at this process.",
                         {"tenant"}, tenants_max + 1)),
      leases_(r.gauges("lattice_tenant_leases", "The tenant's leases that are alive.", {"tenant"},
                       tenants_max + 1)),
      quota_bytes_(r.gauges("lattice_tenant_quota_bytes",
                            "The tenant's storage quota; negative: there is none.", {"tenant"},
                            tenants_max + 1)),
      quota_bytes_used_(r.gauges("lattice_tenant_quota_used_bytes",
                                 "What the tenant keeps, as its storage quota counts it.",
                                 {"tenant"}, tenants_max + 1)),
      cache_bytes_(r.gauges("lattice_tenant_cache_bytes",
                            "Memory that the tenant's keys, values and history take here.",
                            {"tenant"}, tenants_max + 1)),
      watch_lag_(r.gauges("lattice_tenant_watch_lag_revisions",
                          "Revisions that the tenant's watch which is furthest behind has not "
                          "been given.",
                          {"tenant"}, tenants_max + 1)) {}

TenantSeries TenantMetrics::of(const std::string& tenant) {
  std::lock_guard lock(mutex_);
  const bool named = named_.contains(tenant) || named_.size() < tenants_max;
  if (named) named_.insert(tenant);
  const std::string label = named ? tenant : "other";
  TenantSeries series{.requests = &requests_.with({label}),
                      .allowed = &allowed_.with({label}),
                      .delayed = &delayed_.with({label}),
                      .rejected = &rejected_.with({label})};
  if (!named) return series;
  series.loaded = &loaded_.with({label});
  series.revision = &revision_.with({label});
  series.keys = &keys_.with({label});
  series.watchers = &watchers_.with({label});
  series.leases = &leases_.with({label});
  series.quota_bytes = &quota_bytes_.with({label});
  series.quota_bytes_used = &quota_bytes_used_.with({label});
  series.cache_bytes = &cache_bytes_.with({label});
  series.watch_lag = &watch_lag_.with({label});
  return series;
}

}  // namespace lattice::telemetry
