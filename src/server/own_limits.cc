#include "server/own_limits.h"

#include <algorithm>

namespace lattice::server {
namespace {

constexpr int64_t count_max = 4'294'967'295;
constexpr int64_t bytes_max = int64_t{1} << 50;
constexpr int64_t item_bytes_max = 1 << 30;
constexpr int64_t grace_ms_max = 60'000;
constexpr int64_t lease_ttl_seconds_max = 9'000'000'000;
constexpr int64_t weight_max = 1000;

struct Limit {
  std::string_view name;
  int64_t TenantLimits::*field;
  int64_t max;
};

constexpr Limit table[] = {
    {"requests_per_second", &TenantLimits::requests_per_second, count_max},
    {"requests_burst", &TenantLimits::requests_burst, count_max},
    {"bytes_per_second", &TenantLimits::bytes_per_second, bytes_max},
    {"bytes_burst", &TenantLimits::bytes_burst, bytes_max},
    {"concurrent_requests_max", &TenantLimits::concurrent_requests_max, count_max},
    {"watches_max", &TenantLimits::watches_max, count_max},
    {"connections_max", &TenantLimits::connections_max, count_max},
    {"weight", &TenantLimits::weight, weight_max},
    {"key_bytes_max", &TenantLimits::key_bytes_max, item_bytes_max},
    {"value_bytes_max", &TenantLimits::value_bytes_max, item_bytes_max},
    {"keys_max", &TenantLimits::keys_max, count_max},
    {"leases_max", &TenantLimits::leases_max, count_max},
    {"lease_ttl_seconds_default", &TenantLimits::lease_ttl_seconds_default, lease_ttl_seconds_max},
    {"lease_ttl_seconds_max", &TenantLimits::lease_ttl_seconds_max, lease_ttl_seconds_max},
};

}  // namespace

std::vector<control::LimitRange> limit_ranges() {
  std::vector<control::LimitRange> ranges = {{"grace_ms", 0, grace_ms_max},
                                             {"quota_bytes", -1, bytes_max}};
  for (const Limit& limit : table) ranges.push_back({limit.name, 0, limit.max});
  return ranges;
}

std::vector<std::pair<std::string_view, int64_t>> values_of(const TenantLimits& limits) {
  using std::chrono::milliseconds;
  std::vector<std::pair<std::string_view, int64_t>> values = {
      {"grace_ms", std::chrono::duration_cast<milliseconds>(limits.grace).count()},
      {"quota_bytes", limits.quota_bytes}};
  for (const Limit& limit : table) values.emplace_back(limit.name, limits.*limit.field);
  return values;
}

TenantLimits with_own_limits(TenantLimits limits, const backends::TenantLimitValues& own) {
  for (const Limit& limit : table) {
    const auto found = own.find(limit.name);
    if (found != own.end()) limits.*limit.field = std::clamp<int64_t>(found->second, 0, limit.max);
  }
  limits.weight = std::max<int64_t>(limits.weight, 1);
  if (const auto found = own.find("grace_ms"); found != own.end()) {
    limits.grace = std::chrono::milliseconds(std::clamp<int64_t>(found->second, 0, grace_ms_max));
  }
  if (const auto found = own.find("quota_bytes"); found != own.end()) {
    limits.quota_bytes = found->second == 0 ? TenantLimits().quota_bytes
                                            : std::clamp<int64_t>(found->second, -1, bytes_max);
  }
  return limits;
}

}  // namespace lattice::server
