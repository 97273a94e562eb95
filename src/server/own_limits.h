// The limits of one tenant: what the configuration says for all, and what the list of tenants holds
// for this one instead.
// Thread: pure.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "backends/common/tenants.h"
#include "base/tenant_limits.h"
#include "control/documents.h"

namespace lattice::server {

// Names that this version does not know are left out. Values are those of the configuration: 0 for
// none (of the quota: etcd's default), -1 for no quota, and what is beyond its ranges counts as
// their ends.
// Those names and ranges, as the control plane's documents are checked against them.
std::vector<control::LimitRange> limit_ranges();

// By those names.
std::vector<std::pair<std::string_view, int64_t>> values_of(const TenantLimits& limits);

TenantLimits with_own_limits(TenantLimits limits, const backends::TenantLimitValues& own);

}  // namespace lattice::server
