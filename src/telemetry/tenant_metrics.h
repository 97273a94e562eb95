// What is counted for each tenant, under the label `tenant`. Whoever makes tenants could otherwise
// make any number of series: those beyond the first tenants_max share the label "other", which has
// counters only.
//
// Thread: any. Ownership: references into the Registry, which must outlive it.
#pragma once

#include <mutex>
#include <set>
#include <string>

#include "telemetry/metrics.h"

namespace lattice::telemetry {

struct TenantSeries {
  Counter* requests;
  // What its limits did to requests: nothing, made them wait, refused them.
  Counter* allowed;
  Counter* delayed;
  Counter* rejected;
  // Null beyond tenants_max: a sum over tenants would say nothing.
  Gauge* loaded = nullptr;
  Gauge* revision = nullptr;
  Gauge* keys = nullptr;
  Gauge* watchers = nullptr;
  Gauge* leases = nullptr;
  Gauge* quota_bytes = nullptr;
  Gauge* quota_bytes_used = nullptr;
  Gauge* cache_bytes = nullptr;
  Gauge* watch_lag = nullptr;
};

class TenantMetrics {
 public:
  static constexpr size_t tenants_max = 200;

  explicit TenantMetrics(Registry& registry);
  TenantSeries of(const std::string& tenant);

  Gauge& known;   // tenants that there are
  Gauge& loaded;  // and of those, the ones in memory

 private:
  Family<Counter>& requests_;
  Family<Counter>& allowed_;
  Family<Counter>& delayed_;
  Family<Counter>& rejected_;
  Family<Gauge>& loaded_;
  Family<Gauge>& revision_;
  Family<Gauge>& keys_;
  Family<Gauge>& watchers_;
  Family<Gauge>& leases_;
  Family<Gauge>& quota_bytes_;
  Family<Gauge>& quota_bytes_used_;
  Family<Gauge>& cache_bytes_;
  Family<Gauge>& watch_lag_;
  std::mutex mutex_;
  std::set<std::string> named_;  // under mutex_
};

}  // namespace lattice::telemetry
