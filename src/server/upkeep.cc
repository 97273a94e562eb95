#include "server/upkeep.h"

namespace lattice::server {
namespace {

constexpr Duration upkeep_interval = std::chrono::seconds(5);

}  // namespace

void Upkeep::start() {
  telemetry::ServerMetrics& metrics = parts_.telemetry.server;
  metrics.backend_up.set(parts_.store.health().ok() ? 1 : 0);
  parts_.tenants.default_tenant().replica().status(
      [&metrics](Result<replica::StatusResult> result) {
        if (!result.ok()) return;
        metrics.db_size_bytes.set(static_cast<double>(result->allocated_bytes));
        metrics.db_size_in_use_bytes.set(static_cast<double>(result->in_use_bytes));
      });
  parts_.tenants.upkeep();
  report_bound();
  report_latencies(parts_.dependencies, parts_.telemetry);
  report_fan_out();
  timer_ = parts_.loop.after(upkeep_interval, [this] { start(); });
}

void Upkeep::report_bound() {
  const bool open = parts_.tenants.default_tenant().replica().serves_linearizable();
  parts_.telemetry.server.can_linearize.set(open ? 1 : 0);
}

void Upkeep::report_fan_out() {
  const Status fan_out = parts_.links.fan_out_health();
  parts_.telemetry.server.fanout_up.set(fan_out.ok() ? 1 : 0);
  // At the very start it is still connecting, which is nothing to warn of.
  if (fan_out.ok() == fan_out_was_up_ || timer_ == nullptr) return;
  fan_out_was_up_ = fan_out.ok();
  telemetry::Logger& log = parts_.telemetry.log;
  fan_out_was_up_
      ? log.info("Redis carries events between nodes again")
      : log.warn("Redis carries no events between nodes; NOTIFY stands in", {{"cause", fan_out}});
}

}  // namespace lattice::server
