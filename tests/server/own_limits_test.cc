// A tenant's own limits over those of the configuration.
#include "server/own_limits.h"

#include <doctest/doctest.h>

namespace lattice::server {
namespace {

TEST_CASE("every limit that a tenant can have of its own is put in force") {
  for (const std::string_view name : backends::limit_names) {
    CAPTURE(name);
    CHECK_FALSE(with_own_limits({}, {{std::string(name), 7}}) == TenantLimits());
  }
}

TEST_CASE("what a tenant has of its own replaces the default, the rest stays") {
  TenantLimits defaults;
  defaults.keys_max = 100;
  defaults.watches_max = 10;
  TenantLimits expected = defaults;
  expected.keys_max = 5;
  expected.grace = std::chrono::milliseconds(20);
  expected.quota_bytes = 4096;
  expected.lease_ttl_seconds_max = 60;
  CHECK(with_own_limits(defaults, {{"keys_max", 5},
                                   {"grace_ms", 20},
                                   {"quota_bytes", 4096},
                                   {"lease_ttl_seconds_max", 60}}) == expected);
  CHECK(with_own_limits(defaults, {}) == defaults);
  expected = defaults;
  expected.keys_max = 0;
  CHECK(with_own_limits(defaults, {{"keys_max", 0}, {"of_a_newer_version", 1}}) == expected);
}

TEST_CASE("a quota of 0 is etcd's, of -1 none; other values are kept within their ranges") {
  TenantLimits small;
  small.quota_bytes = 1;
  CHECK(with_own_limits(small, {{"quota_bytes", 0}}).quota_bytes == int64_t{2} << 30);
  CHECK(with_own_limits(small, {{"quota_bytes", -1}}).quota_bytes == -1);
  CHECK(with_own_limits(small, {{"keys_max", -1}}).keys_max == 0);
  CHECK(with_own_limits(small, {{"grace_ms", INT64_MAX}}).grace == std::chrono::minutes(1));
  CHECK(with_own_limits(small, {{"lease_ttl_seconds_default", INT64_MAX}})
            .lease_ttl_seconds_default == 9'000'000'000);
}

}  // namespace
}  // namespace lattice::server
