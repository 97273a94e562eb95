#include "server/shared_telemetry.h"

#include <utility>

#include "etcd/services.h"
#include "server/node.h"
#include "telemetry/version.h"

namespace lattice::server {

SharedTelemetry::SharedTelemetry(telemetry::Logger& logger)
    : log(logger), calls(registry), server(registry), reloads(registry), tenants(registry) {
  telemetry::add_version_metrics(registry, telemetry::lattice_version(), etcd::etcd_version);
  telemetry::add_process_metrics(registry);
  telemetry::Gauge& lost = registry.growing(
      "lattice_log_lines_dropped_total", "Lines of the log that were lost: stderr was too slow.");
  registry.on_scrape([&lost, &logger] { lost.set(static_cast<double>(logger.dropped())); });
}

Status SharedTelemetry::open_audit(const config::Config& config) {
  if (config.audit.output.empty()) return {};
  telemetry::AuditLog::Options options;
  options.output = config.audit.output;
  options.node = config.cluster.node_name.empty() ? host_name() : config.cluster.node_name;
  options.required = config.audit.required;
  auto opened = telemetry::AuditLog::open(std::move(options), registry, log);
  if (!opened.ok()) return opened.status();
  audit = std::move(*opened);
  return {};
}

}  // namespace lattice::server
