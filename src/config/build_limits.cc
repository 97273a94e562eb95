// [tenants] default_*: the limits of tenants that have none of their own.
#include "config/layers.h"
#include "config/reader.h"

namespace lattice::config {
namespace {

struct Limit {
  std::string_view key;
  int64_t TenantLimits::*field;
};

constexpr Limit limits[] = {
    {"tenants.default_qps_limit", &TenantLimits::requests_per_second},
    {"tenants.default_qps_burst", &TenantLimits::requests_burst},
    {"tenants.default_bytes_limit", &TenantLimits::bytes_per_second},
    {"tenants.default_bytes_burst", &TenantLimits::bytes_burst},
    {"tenants.default_max_concurrent_requests", &TenantLimits::concurrent_requests_max},
    {"tenants.default_max_watches", &TenantLimits::watches_max},
    {"tenants.default_max_connections", &TenantLimits::connections_max},
    {"tenants.default_weight", &TenantLimits::weight},
    {"tenants.default_max_key_bytes", &TenantLimits::key_bytes_max},
    {"tenants.default_max_value_bytes", &TenantLimits::value_bytes_max},
    {"tenants.default_max_keys", &TenantLimits::keys_max},
    {"tenants.default_max_leases", &TenantLimits::leases_max},
};

constexpr Limit lease_ttls_ms[] = {
    {"tenants.lease_ttl_default_ms", &TenantLimits::lease_ttl_seconds_default},
    {"tenants.lease_ttl_max_ms", &TenantLimits::lease_ttl_seconds_max},
};

}  // namespace

void build_limits(Loaded& loaded) {
  const Reader settings(loaded.settings);
  TenantLimits& to = loaded.config.tenants.limits;
  for (const Limit& limit : limits) to.*limit.field = settings.integer(limit.key);
  to.grace = settings.milliseconds("tenants.limit_grace_ms");
  if (const int64_t quota = settings.integer("tenants.default_quota_bytes"); quota != 0) {
    to.quota_bytes = quota;
  }
  for (const Limit& ttl : lease_ttls_ms) {
    const int64_t value = settings.integer(ttl.key);
    to.*ttl.field = value / 1000;
    // Below a second it would mean "none".
    if (value > 0 && value < 1000) {
      add_problem(loaded, ttl.key, "expected 0 or at least 1000, got " + std::to_string(value));
    }
  }
}

}  // namespace lattice::config
