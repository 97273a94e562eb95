// What every service of one event loop shares: whom a call concerns, the limits, the clock.
// Thread: one loop. Ownership: made by the server, outlives every call and the Router.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/status.h"
#include "credentials/authority.h"
#include "etcd/client_requests.h"
#include "etcd/encode.h"
#include "etcd/gate.h"
#include "etcd/identity.h"
#include "etcd/open_calls.h"
#include "proxy/call.h"
#include "proxy/router.h"
#include "replica/api.h"
#include "replica/environment.h"
#include "telemetry/audit_log.h"
#include "telemetry/metrics.h"

namespace lattice::etcd {

// The etcd release whose behaviour and API Lattice presents: RangeStream came with it. Clients
// parse it and enable features by it (kube-apiserver wants 3.6 or newer), so it names an etcd
// version, not ours.
inline constexpr std::string_view etcd_version = "3.7.0";
inline constexpr std::string_view etcd_cluster_version = "3.7.0";
// MAJOR.MINOR of the storage features that etcd would need for this data.
inline constexpr std::string_view etcd_storage_version = "3.7.0";

struct ServiceLimits {
  size_t request_bytes_max = 3 << 19;  // of a write, as etcd's --max-request-bytes
  int txn_ops_max = 128;
  // A watch stream ends when nothing was sent or received on it for so long; 0: it does not.
  Duration watch_idle_max{};
};

// One tenant as one loop sees it.
struct Tenant {
  replica::Api& api;
  Identity identity;
  Gate gate = {};
  proxy::SharedFlow flow = {};  // null: loops are one tenant's
  // Calls that hold it (TenantUse); the table that has it lets none of them down.
  size_t users = 0;
  std::function<void()> on_unused = {};
  telemetry::Counter* requests = nullptr;  // null: nobody counts
  bool is_default = false;                 // tokens that name no tenant count here
  bool may_move = false;                   // it may go on under another handle
  std::string name = {};

  Header header() const { return {identity, raft_term()}; }
  // etcd's terms start at 1 and its first election makes it 2; epochs start at 1.
  uint64_t raft_term() const { return api.epoch() + 1; }
};

// The id under which clients see a member.
inline uint64_t member_id_of(const Identity& identity, const replica::Member& member) {
  if (member.self) return identity.member_id();
  return identity.member_id_of(member.node.name, member.node.client_urls);
}

class Tenants {
 public:
  virtual ~Tenants() = default;
  // Whom this call concerns; null while that tenant is being loaded. Errors: why nobody can serve
  // it. The answer stays valid to the end of the loop's turn, or for as long as a TenantUse holds
  // it.
  virtual Result<Tenant*> find(const proxy::ServerStream& stream) = 0;
  // Loads it; `again` is called when find() knows more, never inside the call. Requires: find() has
  // just answered null.
  virtual void wait(const proxy::ServerStream& stream, absl::AnyInvocable<void()> again) = 0;
  // The tenant that health checks look at.
  virtual Result<Tenant*> find_default() = 0;
};

// A call's hold on its tenant. Thread: the loop's.
class TenantUse {
 public:
  TenantUse() = default;
  ~TenantUse() { release(); }
  TenantUse(const TenantUse&) = delete;
  TenantUse& operator=(const TenantUse&) = delete;
  // Requires: it holds none.
  void hold(Tenant& tenant) {
    tenant_ = &tenant;
    ++tenant.users;
  }
  void release() {
    Tenant* const tenant = std::exchange(tenant_, nullptr);
    if (tenant != nullptr && --tenant->users == 0 && tenant->on_unused) tenant->on_unused();
  }
  Tenant* get() const { return tenant_; }

 private:
  Tenant* tenant_ = nullptr;
};

struct Governed {
  std::string manifest_digest;  // of all manifests in force
  int64_t routing_epoch = 0;    // of the default tenant
  // Since it was proved to be current; nullopt: it never was.
  std::optional<Duration> age;
};

struct Services {
  Tenants& tenants;
  replica::Environment& environment;
  ServiceLimits limits;
  // Null: nobody counts.
  ClientRequests* client_requests = nullptr;
  // Of the loop; null: it is one tenant's.
  proxy::FairShares* shares = nullptr;
  // Null: no token is valid, and nobody can log in.
  credentials::Authority* authority = nullptr;
  // Null: nobody is told of changes and refusals.
  telemetry::AuditLog* audit = nullptr;
  // The text of GET /metrics.
  std::function<std::string()> scrape;
  // The text of GET /status: with tenants and nodes or without.
  std::function<void(bool whole, absl::AnyInvocable<void(std::string)> done)> status = {};
  // What the control plane has said, for /readyz. No function: nobody governs.
  std::function<Governed()> governed = {};
  // What is wrong with the control plane's cache, empty: nothing. No function: nobody governs.
  std::function<std::string()> control_plane = {};
  // Of requests that an overload refused, by kind; null: nobody counts.
  telemetry::Family<telemetry::Counter>* shed = nullptr;
  uint64_t overdue_points = 0;  // reads of single keys that came overdue
  // Calls that do not end by themselves; a shutdown ends them.
  OpenCalls open_calls;
  // Calls that do, and are not over; a shutdown waits for them.
  size_t running_calls = 0;
  // The steps of a shutdown: not ready any more; nothing that does not end by itself is taken.
  bool draining = false;
  bool leaving = false;
};

// Puts every RPC of etcd v3 and of grpc.health.v1, and the HTTP paths of etcd's client port, into
// the router. Requires: `services` outlives the router.
void register_all(Services& services, proxy::Router& router);
// What the metrics port serves: /metrics and the health family.
void register_metrics_port(Services& services, proxy::Router& router);
// The first step of a shutdown: readiness is false, everything is served as before.
void begin_drain(Services& services);
// The last: ends what would keep a drained connection open: watches, keepalive streams, lock and
// election calls, and refuses such calls from now on. Clients see Unavailable and go on elsewhere;
// unary calls that crossed the GOAWAY are still served, for clients do not repeat a write that was
// refused. Requires: begin_drain(), and a GOAWAY sent, or clients would come straight back.
void end_long_calls(Services& services);

}  // namespace lattice::etcd
