// Everything that is served, in one list.
#include "etcd/methods.h"

namespace lattice::etcd {

void register_all(Services& services, proxy::Router& router) {
  register_range(services, router);
  register_range_stream(services, router);
  register_put(services, router);
  register_delete_range(services, router);
  register_txn(services, router);
  register_compact(services, router);
  register_watch(services, router);
  register_lease(services, router);
  register_lease_keep_alive(services, router);
  register_cluster(services, router);
  register_maintenance(services, router);
  register_hash(services, router);
  register_auth(services, router);
  register_api_tokens(services, router);
  register_lock(services, router);
  register_election(services, router);
  register_election_observe(services, router);
  register_health(services, router);
  register_http_health(services, router);
  register_http_version(services, router);
  register_http_metrics(services, router);
  register_http_status(services, router, /*whole=*/false);
}

void register_metrics_port(Services& services, proxy::Router& router) {
  register_http_health(services, router);
  register_http_version(services, router);
  register_http_metrics(services, router);
  register_http_status(services, router, /*whole=*/true);
}

void begin_drain(Services& services) {
  services.draining = true;
  services.open_calls.serving_changed();
}

void end_long_calls(Services& services) {
  services.leaving = true;
  services.open_calls.end_all(Error::stopped);
}

}  // namespace lattice::etcd
