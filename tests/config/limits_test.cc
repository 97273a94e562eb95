// The limits of [tenants].
#include <doctest/doctest.h>

#include "config/load.h"

namespace lattice::config {
namespace {

using std::chrono::milliseconds;

Loaded load_limits(const std::vector<std::pair<std::string, std::string>>& keys) {
  Request request;
  for (const auto& [name, value] : keys) {
    request.command_line.push_back({name, "tenants." + name, value});
  }
  return load(request);
}

TEST_CASE("no limits but etcd's quota, unless they are set") {
  const Loaded loaded = load_limits({});
  REQUIRE(loaded.ok());
  CHECK(loaded.config.tenants.limits == TenantLimits());
  CHECK(loaded.config.tenants.limits.quota_bytes == int64_t{2} << 30);
}

TEST_CASE("each key sets its limit") {
  const Loaded loaded = load_limits({{"default_qps_limit", "1"},
                                     {"default_qps_burst", "2"},
                                     {"default_bytes_limit", "3"},
                                     {"default_bytes_burst", "4"},
                                     {"limit_grace_ms", "5"},
                                     {"default_max_concurrent_requests", "6"},
                                     {"default_max_watches", "7"},
                                     {"default_max_connections", "15"},
                                     {"default_weight", "16"},
                                     {"default_max_key_bytes", "8"},
                                     {"default_max_value_bytes", "9"},
                                     {"default_max_keys", "10"},
                                     {"default_max_leases", "11"},
                                     {"default_quota_bytes", "12"},
                                     {"lease_ttl_default_ms", "13999"},
                                     {"lease_ttl_max_ms", "14000"}});
  REQUIRE(loaded.ok());
  const TenantLimits expected{.requests_per_second = 1,
                              .requests_burst = 2,
                              .bytes_per_second = 3,
                              .bytes_burst = 4,
                              .grace = milliseconds(5),
                              .concurrent_requests_max = 6,
                              .watches_max = 7,
                              .connections_max = 15,
                              .weight = 16,
                              .key_bytes_max = 8,
                              .value_bytes_max = 9,
                              .keys_max = 10,
                              .leases_max = 11,
                              .quota_bytes = 12,
                              .lease_ttl_seconds_default = 13,
                              .lease_ttl_seconds_max = 14};
  CHECK(loaded.config.tenants.limits == expected);
}

TEST_CASE("the quota is etcd's for 0, and none for -1") {
  CHECK(load_limits({{"default_quota_bytes", "0"}}).config.tenants.limits == TenantLimits());
  CHECK(load_limits({{"default_quota_bytes", "-1"}}).config.tenants.limits.quota_bytes == -1);
  CHECK_FALSE(load_limits({{"default_quota_bytes", "-2"}}).ok());
}

TEST_CASE("a TTL below a second is a mistake, not no limit") {
  CHECK_FALSE(load_limits({{"lease_ttl_max_ms", "999"}}).ok());
  CHECK_FALSE(load_limits({{"lease_ttl_default_ms", "1"}}).ok());
}

TEST_CASE("all of them can be reloaded") {
  const Changes changes =
      compare(load_limits({}).settings,
              load_limits({{"default_qps_limit", "1"}, {"default_max_keys", "5"}}).settings);
  CHECK(changes.applied.size() == 2);
  CHECK(changes.need_restart.empty());
}

}  // namespace
}  // namespace lattice::config
