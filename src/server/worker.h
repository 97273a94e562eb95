// One event loop with everything that lives on it: its listener, its router, its view of the
// tenants.
// Thread: construction and destruction on the main thread while the loop does not run; the rest on
//   the loop's.
// Ownership: owns it all; the shared telemetry outlives it.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "config/config.h"
#include "credentials/authority.h"
#include "etcd/services.h"
#include "loop/loop.h"
#include "loop/side_thread.h"
#include "proxy/listener.h"
#include "proxy/router.h"
#include "server/call_observer.h"
#include "server/forwarding.h"
#include "server/loop_environment.h"
#include "server/shared_telemetry.h"
#include "server/tenant_table.h"

namespace lattice::server {

class Worker {
 public:
  Worker(const config::Config& config, SharedTelemetry& shared);

  // Errors: io.
  // Null: plaintext.
  Status listen(const std::string& address, std::shared_ptr<const tls::Source> tls,
                std::shared_ptr<proxy::ConnectionCounts> counts);
  Status listen_metrics(const std::string& address);
  std::string address() const { return listener_->address(); }
  std::string metrics_address() const;

  // Regular work that costs too much to do at every event; once a second.
  void start_ticking();
  // Readiness is false at once; after `delay` no new connections and GOAWAY to all; when the
  // requests in flight are over, or after `timeout`, the long calls end; `done` when the last
  // connection is gone, a little after `timeout` at the latest.
  void drain(Duration delay, Duration timeout, loop::Task done);
  // Destroys what is registered with the loop. Requires: the loop has stopped.
  void close();

  loop::Loop& loop() { return loop_; }
  LoopEnvironment& environment() { return environment_; }
  proxy::FairShares& shares() { return shares_; }
  TenantTable& tenants() { return tenants_; }
  credentials::Authority& authority() { return authority_; }
  // Null in mode standalone.
  Forwarding* forwarding() { return forwarding_.get(); }
  // Of the client port.
  const proxy::Router& router() const { return router_; }
  // Of the client port; any thread.
  size_t connections() const { return connections_.load(std::memory_order_relaxed); }

 private:
  void run_shared_turn();
  void report_status(const SharedTelemetry& shared, bool whole,
                     absl::AnyInvocable<void(std::string)> done);
  etcd::Governed governed(const SharedTelemetry& shared) const;
  void tick();
  void leave(Duration timeout, loop::Task done);
  void end_long_calls_when_quiet();

  const config::Config& config_;
  loop::Loop loop_;
  proxy::FairShares shares_;
  telemetry::Histogram& shared_turn_seconds_;
  LoopEnvironment environment_;
  TenantTable tenants_;
  loop::SideThread passwords_;
  credentials::Authority authority_;
  etcd::ClientRequests client_requests_;
  etcd::Services services_;
  std::unique_ptr<Forwarding> forwarding_;
  proxy::Router router_;
  proxy::Router metrics_router_;
  CallObserver observer_;
  std::unique_ptr<proxy::Listener> listener_;
  std::unique_ptr<proxy::Listener> metrics_listener_;
  std::unique_ptr<loop::TimerHandle> tick_;
  std::unique_ptr<loop::TimerHandle> drain_timer_;
  Instant requests_end_;  // while draining: how long requests in flight are waited for
  std::atomic<size_t> connections_{0};
};

}  // namespace lattice::server
