// What one tenant may use. A change of the configuration makes a new value; nobody changes one.
// Thread: plain data, shared as const.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/time.h"

namespace lattice {

// Zero is "no limit", and costs nothing, unless a field says otherwise.
struct TenantLimits {
  // ---- At the door of each process (etcd/gate.h) ----
  int64_t requests_per_second = 0;
  int64_t requests_burst = 0;  // 0: one second's worth
  int64_t bytes_per_second = 0;
  int64_t bytes_burst = 0;  // 0: one second's worth
  // How long a request may be delayed before it is refused.
  Duration grace = std::chrono::seconds(1);
  int64_t concurrent_requests_max = 0;
  int64_t watches_max = 0;
  int64_t connections_max = 0;
  // What part of a busy loop's time is the tenant's, beside the weights of the others that want it
  // (proxy/fair_shares.h). At least 1.
  int64_t weight = 1;

  // ---- At the tenant's leader, in the order of the log (replica/capacity.h) ----
  int64_t key_bytes_max = 0;
  int64_t value_bytes_max = 0;
  int64_t keys_max = 0;
  int64_t leases_max = 0;
  // Of everything that the tenant keeps, as etcd's --quota-backend-bytes. Negative: no quota.
  int64_t quota_bytes = int64_t{2} << 30;
  int64_t lease_ttl_seconds_default = 0;  // for a client that asks for 0; 0: etcd's rule
  int64_t lease_ttl_seconds_max = 0;      // longer ones are shortened; 0: etcd's rule

  bool operator==(const TenantLimits&) const = default;
};

using SharedLimits = std::shared_ptr<const TenantLimits>;

}  // namespace lattice
