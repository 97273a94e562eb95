// What it costs to let a request in: nanoseconds of CPU for a tenant's door, without and with
// limits, on one loop and on several that share a tenant; and for who calls and what the user may
// do, where users and roles count. Usage: admission_bench [requests].
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "auth/tables.h"
#include "credentials/authority.h"
#include "credentials/simple_tokens.h"
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

// A user whose one role has so many ranges: "key000/" and what follows below it, and so on.
auth::Tables with_ranges(int ranges) {
  const auto start = [](int i) {
    char text[16];
    std::snprintf(text, sizeof text, "key%03d/", i);
    return std::string(text);
  };
  auth::Role role;
  for (int i = 0; i < ranges; ++i) {
    std::string end = start(i);
    ++end.back();
    role.permissions.push_back({auth::PermissionType::readwrite, start(i), end});
  }
  auth::User user;
  user.roles = {"role"};
  auth::Tables tables;
  tables.enabled = true;
  tables.users["user"] = std::make_shared<const auth::User>(std::move(user));
  tables.roles["role"] = std::make_shared<const auth::Role>(std::move(role));
  return tables;
}

// What a put with a token costs beyond one without users: who calls, as the loop asks it, and
// whether the user may write the key, as the replica does.
void measure_users(int ranges, size_t requests) {
  const auth::Tables tables = with_ranges(ranges);
  credentials::Authority authority([](auto, auto) { return false; });
  authority.use(std::make_shared<credentials::SimpleTokens>(
      Keyring(std::vector<std::string>{std::string(32, 's')}), 300));
  const Result<std::string> token = authority.issue({"user", tables.revision, {}});
  if (!token.ok()) return;
  std::vector<keyspace::KeyRange> keys;
  for (int i = 0; i < 1024; ++i) {
    char text[32];
    std::snprintf(text, sizeof text, "key%03d/%d", i * 37 % std::max(ranges, 1), i);
    keys.push_back({text, {}});
  }
  size_t refused = 0;
  const double start = cpu_seconds();
  for (size_t i = 0; i < requests; ++i) {
    const auth::CallerRef caller = authority.identify(*token, true);
    refused += !tables.check_token(caller.get(), {}).ok();
    refused +=
        !tables.check_keys(caller.get(), auth::Tables::Access::write, keys[i % keys.size()]).ok();
  }
  const double each = (cpu_seconds() - start) * 1e9 / static_cast<double>(requests);
  if (refused > 0) std::printf("refused: %zu\n", refused);
  const std::string name = "users on, one with " + std::to_string(ranges) + " ranges";
  std::printf("%-46s %10.1f ns\n", name.c_str(), each);
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
  for (const int ranges : {1, 100, 1000}) lattice::etcd::measure_users(ranges, requests);
}
