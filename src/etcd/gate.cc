#include "etcd/gate.h"

#include <chrono>
#include <string>

#include "etcd/retry_info.h"

namespace lattice::etcd {
namespace {

// Of all requests of a tenant that wait at the door.
constexpr int64_t waiting_bytes_max = 64 << 20;
// After which a request that found too many running may be lucky.
constexpr Duration running_retry = std::chrono::milliseconds(100);

// Adds one if that does not exceed `max`; 0: no limit.
bool add_within(std::atomic<int64_t>& count, int64_t max) {
  if (count.fetch_add(1, std::memory_order_relaxed) < max || max == 0) return true;
  count.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

}  // namespace

Gate::Gate(SharedLimits limits, std::shared_ptr<TenantUsage> usage) : usage_(std::move(usage)) {
  set_limits(std::move(limits));
}

void Gate::set_limits(SharedLimits limits) {
  limits_ = std::move(limits);
  requests_ = {limits_->requests_per_second, limits_->requests_burst};
  bytes_ = {limits_->bytes_per_second, limits_->bytes_burst};
  guarded_ = requests_.limited() || bytes_.limited() || limits_->concurrent_requests_max > 0;
}

Duration Gate::wait_for(size_t bytes, Instant now) const {
  Duration wait{};
  if (requests_.limited()) wait = usage_->requests.wait_for(requests_, 1, now);
  if (bytes_.limited()) {
    wait = std::max(wait, usage_->bytes.wait_for(bytes_, static_cast<int64_t>(bytes), now));
  }
  return wait;
}

void Gate::take(size_t bytes, Instant now) {
  if (requests_.limited()) usage_->requests.charge(requests_, 1, now);
  charge(bytes, now);
}

Gate::Verdict Gate::admit(size_t bytes, Instant now) {
  const Duration wait = wait_for(bytes, now);
  if (wait > limits_->grace) {
    count(usage_->metrics.rejected);
    return {false, wait - limits_->grace};
  }
  take(bytes, now);
  count(wait > Duration{} ? usage_->metrics.delayed : usage_->metrics.allowed);
  return {true, wait};
}

Duration Gate::admit_message(size_t bytes, Instant now) {
  const Duration wait = wait_for(bytes, now);
  take(bytes, now);
  count(wait > Duration{} ? usage_->metrics.delayed : usage_->metrics.allowed);
  return wait;
}

void Gate::charge(size_t bytes, Instant now) {
  if (bytes_.limited()) usage_->bytes.charge(bytes_, static_cast<int64_t>(bytes), now);
}

Duration Gate::debt(Instant now) const {
  return bytes_.limited() ? usage_->bytes.wait_for(bytes_, 1, now) : Duration{};
}

bool Gate::enter() { return add_within(usage_->running, limits_->concurrent_requests_max); }

bool Gate::line_up(size_t bytes) {
  const auto size = static_cast<int64_t>(bytes);
  const int64_t before = usage_->waiting_bytes.fetch_add(size, std::memory_order_relaxed);
  if (before < waiting_bytes_max) return true;
  usage_->waiting_bytes.fetch_sub(size, std::memory_order_relaxed);
  return false;
}

bool Gate::open_watch() { return add_within(usage_->watches, limits_->watches_max); }

proxy::GrpcStatus Gate::reject(Instant now) const {
  count(usage_->metrics.rejected);
  return refusal(running_retry, now);
}

proxy::GrpcStatus Gate::refusal(Duration retry_after, Instant now) const {
  const bool by_requests = requests_.limited();
  const Rate& rate = by_requests ? requests_ : bytes_;
  const auto seconds_up = std::chrono::ceil<std::chrono::seconds>(retry_after).count();
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(retry_after).count();
  proxy::GrpcStatus status{proxy::GrpcCode::resource_exhausted, "etcdserver: too many requests"};
  const int64_t limit = rate.limited() ? rate.per_second : limits_->concurrent_requests_max;
  const int64_t remaining =
      !rate.limited() ? 0 : (by_requests ? usage_->requests : usage_->bytes).remaining(rate, now);
  status.trailers = {{"grpc-retry-pushback-ms", std::to_string(milliseconds)},
                     {"grpc-status-details-bin", retry_details(status, retry_after)},
                     {"ratelimit-limit", std::to_string(limit)},
                     {"ratelimit-remaining", std::to_string(remaining)},
                     {"ratelimit-reset", std::to_string(seconds_up)}};
  return status;
}

}  // namespace lattice::etcd
