#include "server/dependencies.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "server/control_plane.h"
#include "server/one_line.h"
#include "telemetry/dependency_metrics.h"

namespace lattice::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* backend_prefix = "postgresql/";

SharedDependency make(std::string_view name, const CircuitBreaker::Options& options,
                      SharedTelemetry& telemetry) {
  auto metrics = std::make_shared<telemetry::DependencyMetrics>(telemetry.registry);
  metrics->set_state(name, name_of(CircuitBreaker::State::closed));
  (void)metrics->breaker_opened.with({name});
  // Attempts that fail while it is open are not told one by one.
  const auto tell = [name = std::string(name), metrics, &log = telemetry.log,
                     closed = true](const Dependency& dependency) mutable {
    metrics->set_state(name, name_of(dependency.state()));
    const bool was_closed = std::exchange(closed, dependency.closed());
    if (closed) return log.info("circuit breaker closed", {{"dependency", name}});
    if (!was_closed) {
      return log.debug("circuit breaker",
                       {{"dependency", name}, {"state", name_of(dependency.state())}});
    }
    closed = false;
    metrics->breaker_opened.with({name}).add();
    log.warn("circuit breaker open",
             {{"dependency", name}, {"cause", one_line(dependency.last_error().detail())}});
  };
  return std::make_shared<Dependency>(options, tell);
}

// Each of its endpoints is asked, and may be silent, before it counts as gone.
CircuitBreaker::Options for_control_plane(const config::ControlPlane& config) {
  const auto timing = control_timing(config);
  const auto endpoints = static_cast<int>(config.endpoints.size());
  CircuitBreaker::Options options;
  options.failures_min = std::max(options.failures_min, endpoints);
  options.failing_min = timing.request_timeout * (endpoints + 1);
  options.pause_max = timing.backoff_max;
  options.pause_min = std::min(options.pause_min, options.pause_max);
  return options;
}

}  // namespace

Dependencies Dependencies::of(const config::Config& config, SharedTelemetry& telemetry) {
  Dependencies all;
  // A failover that takes less than three seconds is waited out, as a change of leaders is.
  if (config.backend.kind == config::BackendKind::postgresql) {
    all.postgresql = make("postgresql", {}, telemetry);
  }
  if (!config.fanout.url.empty()) {
    CircuitBreaker::Options options;
    options.pause_max = seconds(2);
    all.redis = make("redis", options, telemetry);
  }
  if (config.control_plane.clustor()) {
    all.control_plane = make("control_plane", for_control_plane(config.control_plane), telemetry);
  }
  for (const auto& [backend, options] : config.backends) {
    if (options.kind != config::BackendKind::postgresql) continue;
    const std::string name = backend_prefix + backend;
    all.backends[name] = make(name, {}, telemetry);
  }
  return all;
}

Dependencies Dependencies::of_backend(const std::string& name) const {
  Dependencies its = *this;
  const auto found = backends.find(backend_prefix + name);
  its.postgresql = found == backends.end() ? nullptr : found->second;
  return its;
}

void report_latencies(const Dependencies& dependencies, SharedTelemetry& telemetry) {
  telemetry::DependencyMetrics metrics(telemetry.registry);
  dependencies.for_each([&metrics](std::string_view name, const Dependency* dependency) {
    if (dependency == nullptr || !dependency->latency()) return;
    metrics.latency_seconds.with({name}).set(
        std::chrono::duration<double>(*dependency->latency()).count());
  });
}

}  // namespace lattice::server
