#include "server/shared_telemetry.h"

#include "etcd/services.h"
#include "telemetry/version.h"

namespace lattice::server {

SharedTelemetry::SharedTelemetry(telemetry::Logger& logger)
    : log(logger), calls(registry), server(registry), tenants(registry) {
  telemetry::add_version_metrics(registry, telemetry::lattice_version(), etcd::etcd_version);
  telemetry::add_process_metrics(registry);
}

}  // namespace lattice::server
