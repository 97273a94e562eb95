// One registration function per RPC family, each implemented beside its calls; registry.cc puts
// them together. Thread: start-up, on the loop's thread or before it runs.
#pragma once

#include <string_view>

#include "etcd/services.h"

namespace lattice::etcd {

// An error of etcd's auth store that its table of statuses lacks: it leaves as Unknown.
inline constexpr std::string_view no_password_text =
    "auth: authentication failed, password was given for no password user";

void register_range(Services& services, proxy::Router& router);
void register_range_stream(Services& services, proxy::Router& router);
void register_put(Services& services, proxy::Router& router);
void register_delete_range(Services& services, proxy::Router& router);
void register_txn(Services& services, proxy::Router& router);
void register_compact(Services& services, proxy::Router& router);
void register_watch(Services& services, proxy::Router& router);
void register_lease(Services& services, proxy::Router& router);
void register_lease_keep_alive(Services& services, proxy::Router& router);
void register_maintenance(Services& services, proxy::Router& router);
void register_hash(Services& services, proxy::Router& router);
void register_cluster(Services& services, proxy::Router& router);
void register_auth(Services& services, proxy::Router& router);
void register_auth_queries(Services& services, proxy::Router& router);
void register_authenticate(Services& services, proxy::Router& router);
void register_api_tokens(Services& services, proxy::Router& router);
void register_lock(Services& services, proxy::Router& router);
void register_election(Services& services, proxy::Router& router);
void register_election_observe(Services& services, proxy::Router& router);
void register_health(Services& services, proxy::Router& router);
void register_http_health(Services& services, proxy::Router& router);
void register_http_version(Services& services, proxy::Router& router);
void register_http_metrics(Services& services, proxy::Router& router);
// GET /status; `whole`: with tenants and nodes.
void register_http_status(Services& services, proxy::Router& router, bool whole);

// A method that is known but not offered by this version: UNIMPLEMENTED, saying which.
void register_unimplemented(proxy::Router& router, std::string_view path);

}  // namespace lattice::etcd
