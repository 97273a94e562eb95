// The door of one tenant at one loop: how many requests and bytes per second come in, how many run
// at a time, how many watches there are. Requests are delayed first and refused last; watch streams
// are slowed, not cut. A tenant without such limits passes at the cost of one look at a flag.
//
// Thread: its loop's; what the gates of one tenant share is TenantUsage, which all loops use.
// Ownership: shares the limits and the usage.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/rate_meter.h"
#include "base/tenant_limits.h"
#include "proxy/call.h"
#include "telemetry/metrics.h"

namespace lattice::etcd {

// What the gates counted; null: nobody counts.
struct GateMetrics {
  // Requests that came in at once, that had to wait, that were refused.
  telemetry::Counter* allowed = nullptr;
  telemetry::Counter* delayed = nullptr;
  telemetry::Counter* rejected = nullptr;
};

// What one tenant uses in this process.
struct TenantUsage {
  explicit TenantUsage(GateMetrics with = {}) : metrics(with) {}

  RateMeter requests;
  RateMeter bytes;
  std::atomic<int64_t> running{0};
  std::atomic<int64_t> watches{0};
  std::atomic<int64_t> connections{0};
  std::atomic<int64_t> waiting_bytes{0};  // of requests that were not let in yet
  const GateMetrics metrics;
};

class Gate {
 public:
  Gate() : Gate(std::make_shared<TenantLimits>(), std::make_shared<TenantUsage>()) {}
  // Requires: neither is null.
  Gate(SharedLimits limits, std::shared_ptr<TenantUsage> usage);

  const TenantLimits& limits() const { return *limits_; }
  void set_limits(SharedLimits limits);

  // Whether requests must ask. What began without asking need not ask later.
  bool guarded() const { return guarded_; }

  struct Verdict {
    bool admitted = true;
    Duration wait{};  // before it may go on; when refused: after which it makes sense to try again
  };
  // A request of so many bytes. Admitted, it has been counted and must wait for `wait`.
  Verdict admit(size_t bytes, Instant now);
  // The same for a stream's message, which is never refused.
  Duration admit_message(size_t bytes, Instant now);
  // So many bytes went out; whoever comes next waits for them.
  void charge(size_t bytes, Instant now);
  // How long to hold back what goes on by itself.
  Duration debt(Instant now) const;

  // One more runs; false: too many do. Each success needs a leave().
  bool enter();
  void leave() { usage_->running.fetch_sub(1, std::memory_order_relaxed); }
  // A request of so many bytes waits to come in; false: too many bytes do. Likewise with
  // leave_line().
  bool line_up(size_t bytes);
  void leave_line(size_t bytes) {
    usage_->waiting_bytes.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
  }
  // One more watch; likewise.
  bool open_watch();
  void close_watches(int64_t count) { usage_->watches.fetch_sub(count, std::memory_order_relaxed); }

  // The answer to a request that waited in vain for others to end.
  proxy::GrpcStatus reject(Instant now) const;
  // The answer to a request that was not let in, and for how long it is no use to ask again.
  proxy::GrpcStatus refusal(Duration retry_after, Instant now) const;

 private:
  void count(telemetry::Counter* counter) const {
    if (counter != nullptr) counter->add();
  }
  Duration wait_for(size_t bytes, Instant now) const;
  void take(size_t bytes, Instant now);

  SharedLimits limits_;
  std::shared_ptr<TenantUsage> usage_;
  Rate requests_;
  Rate bytes_;
  bool guarded_ = false;
};

}  // namespace lattice::etcd
