// What routing means for the requests of one loop: each is checked against its tenant's routing
// epoch, and passed on to another node where the tenant is not served here.
//
// A request that another node has passed on is served here in any case: every node of a database
// can serve each of its tenants, so routing documents that differ for a moment cost a hop and never
// a loop.
//
// Thread: the loop's; made on another before that runs.
// Ownership: outlives the calls that it began. What it is given outlives it.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "etcd/services.h"
#include "loop/loop.h"
#include "peer/forward_client.h"
#include "proxy/router.h"
#include "server/routes.h"
#include "server/tenant_table.h"
#include "telemetry/metrics.h"

namespace lattice::server {

// The metadata by which a client names the epoch that it knows, and an answer ours.
inline constexpr const char* epoch_metadata = "lattice-routing-epoch";

class Forwarding {
 public:
  // What concerns the control plane, on its loop.
  struct Governor {
    // Asks it once, then calls `done` here: what it said is in use by then.
    absl::AnyInvocable<void(loop::Task done)> refresh;
    absl::AnyInvocable<void(const std::string& tenant, int64_t epoch)> hear_of_epoch;
  };
  struct Parts {
    loop::Loop& loop;
    TenantTable& tenants;
    etcd::Services& services;
    telemetry::Registry& registry;
  };
  explicit Forwarding(const Parts& parts);
  ~Forwarding();

  // From now on every method of tenants is governed.
  void install(proxy::Router& router);
  // `around`: for calls to other nodes; null: there are none.
  void connect(std::unique_ptr<peer::Surroundings> around, Governor governor);
  void use(std::shared_ptr<const Routes> routes) {
    routes_ = std::move(routes);
    doubted_.clear();
  }
  // Null: no other node can be reached.
  peer::ForwardClient* client() { return client_.get(); }
  // The loop has stopped, and no call is left.
  void close();

 private:
  class EdgeCall;
  // One RPC: who serves it here, and what is counted of those that go elsewhere.
  struct Method {
    proxy::CallFactory serve;
    std::array<telemetry::Counter*, 4> outcomes;
    bool is_long = false;  // does not end by itself
  };

  Method method_of(std::string_view path, proxy::CallFactory serve);
  std::unique_ptr<proxy::Call> start(proxy::ServerStream& stream, const Method& method,
                                     bool refreshed = false);
  std::unique_ptr<proxy::Call> start_refreshed(proxy::ServerStream& stream, const Method& method);
  std::unique_ptr<proxy::Call> pass_on(proxy::ServerStream& stream, const Method& method,
                                       std::string_view tenant, const Route& route);

  const Parts parts_;
  const Route everywhere_;  // of tenants without one
  telemetry::Family<telemetry::Counter>& requests_;
  telemetry::Gauge& open_;
  std::shared_ptr<const Routes> routes_ = std::make_shared<Routes>();
  // Epochs that another node knows, and which the control plane was asked for in vain.
  std::map<std::string, int64_t, std::less<>> doubted_;
  Governor governor_;
  std::unique_ptr<peer::Surroundings> around_;
  std::unique_ptr<peer::ForwardClient> client_;  // null: no other node can be reached
};

}  // namespace lattice::server
