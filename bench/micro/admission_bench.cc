// What a tenant's limits cost each request: nanoseconds of CPU for the door alone, without and with
// limits, on one loop and on several that share a tenant. Usage: admission_bench [requests].
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "etcd/gate.h"

namespace lattice::etcd {
namespace {

Instant clock_now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return {now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec};
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// As a unary call passes the door (etcd/unary.cc). Answers nanoseconds per request.
double pass(Gate& gate, size_t requests) {
  size_t refused = 0;
  const double start = cpu_seconds();
  for (size_t i = 0; i < requests; ++i) {
    if (!gate.guarded()) continue;
    refused += !gate.admit(100, clock_now()).admitted;
    gate.enter();
    gate.charge(200, clock_now());
    gate.leave();
  }
  const double each = (cpu_seconds() - start) * 1e9 / static_cast<double>(requests);
  if (refused > 0) std::printf("refused: %zu\n", refused);
  return each;
}

void measure(const char* name, const TenantLimits& limits, int loops, size_t requests) {
  telemetry::Registry registry;
  const auto counter = [&](const char* what) { return &registry.counter(what, "Of this bench."); };
  const auto usage = std::make_shared<TenantUsage>(
      GateMetrics{counter("allowed"), counter("delayed"), counter("rejected")});
  const auto shared = std::make_shared<TenantLimits>(limits);
  std::vector<double> each(static_cast<size_t>(loops));
  std::vector<std::thread> threads;
  for (double& result : each) {
    threads.emplace_back([&] {
      Gate gate(shared, usage);
      result = pass(gate, requests);
    });
  }
  for (std::thread& thread : threads) thread.join();
  double sum = 0;
  for (const double one : each) sum += one;
  std::printf("%-46s %10.1f ns\n", name, sum / loops);
}

}  // namespace
}  // namespace lattice::etcd

int main(int count, char** values) {
  const size_t requests = count > 1 ? std::strtoull(values[1], nullptr, 10) : 10'000'000;
  lattice::TenantLimits all;
  all.requests_per_second = 1'000'000'000;
  all.bytes_per_second = int64_t{1} << 50;
  all.concurrent_requests_max = 1'000'000;
  lattice::etcd::measure("no limits", {}, 1, requests);
  lattice::etcd::measure("all limits", all, 1, requests);
  lattice::etcd::measure("all limits, two loops at one tenant", all, 2, requests);
}
