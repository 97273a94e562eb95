#include "server/worker.h"

#include "server/control_plane.h"

namespace lattice::server {
namespace {

// What a gRPC message may be larger than a request, as etcd allows it.
constexpr size_t grpc_overhead_bytes = 512 << 10;
// How often a drain looks whether requests are still in flight. The first look leaves time for the
// GOAWAY to go out: who hears of it only after the end of a watch comes back on the same
// connection.
constexpr Duration drain_interval = std::chrono::milliseconds(10);
// Log-ins and new passwords that wait to be hashed, some tens of milliseconds each.
constexpr size_t passwords_waiting_max = 128;
// For the ends of long calls to reach their clients once requests have had their time.
constexpr Duration last_words_max = std::chrono::seconds(1);

// What probes ask, which have no certificate; it tells whether the server works, and nothing of
// what it holds.
constexpr const char* open_paths[] = {
    "/health",  "/healthz", "/healthz/", "/livez",
    "/livez/",  "/readyz",  "/readyz/",  "/grpc.health.v1.Health/",
    "/version",
};

proxy::Limits limits_of(const config::GrpcListener& grpc) {
  proxy::Limits limits;
  limits.receive_message_bytes_max = grpc.request_bytes_max + grpc_overhead_bytes;
  limits.concurrent_streams_max = grpc.concurrent_streams_max;
  limits.connections_max = grpc.connections_max;
  limits.connections_per_address_max = grpc.connections_per_address_max;
  limits.connection_idle_max = grpc.idle_timeout;
  limits.connection_age_max = grpc.connection_age_max;
  limits.connection_age_grace = grpc.connection_age_grace;
  limits.keepalive_min_time = grpc.keepalive_min_time;
  limits.keepalive_permit_without_stream = grpc.keepalive_permit_without_stream;
  limits.keepalive_interval = grpc.keepalive_interval;
  limits.keepalive_timeout = grpc.keepalive_timeout;
  return limits;
}

}  // namespace

Worker::Worker(const config::Config& config, SharedTelemetry& shared)
    : config_(config),
      shares_({.now = [this] { return loop_.fresh_now(); },
               .thread_time = &loop::Loop::thread_time,
               // Behind the answers that other parts of this turn have brought.
               .call_in_this_turn =
                   [this] { loop_.defer([this] { loop_.defer([this] { run_shared_turn(); }); }); },
               .call_in_next_turn = [this] { loop_.post([this] { run_shared_turn(); }); }}),
      shared_turn_seconds_(shared.server.shared_turn_seconds),
      environment_(loop_, &shares_),
      tenants_(config.tenants, loop_),
      passwords_(loop_, "passwords", passwords_waiting_max),
      authority_(
          [this](loop::Task work, loop::Task done) {
            return passwords_.run(std::move(work), std::move(done));
          },
          config.auth.bcrypt_cost),
      client_requests_(shared.registry),
      services_{.tenants = tenants_,
                .environment = environment_,
                .limits = {.request_bytes_max = config.grpc.request_bytes_max,
                           .txn_ops_max = config.server.txn_ops_max,
                           .watch_idle_max = config.tenants.watch_idle_timeout},
                .client_requests = &client_requests_,
                .shares = &shares_,
                .authority = &authority_,
                .audit = shared.audit.get(),
                .scrape = [&shared] { return shared.registry.scrape(); },
                .status =
                    [this, &shared](bool whole, absl::AnyInvocable<void(std::string)> done) {
                      report_status(shared, whole, std::move(done));
                    },
                .shed = &shared.registry.counters(
                    "lattice_requests_shed_total",
                    "Reads and new watches that were refused for overload.", {"kind"}, 2),
                .open_calls = {}},
      observer_(loop_, shared.calls, shared.server, shared.log, shared.audit.get(),
                config.telemetry.slow_request) {
  if (config.control_plane.clustor()) {
    services_.governed = [this, &shared] { return governed(shared); };
    services_.control_plane = [&shared] {
      return trouble_of(shared.cache_state.load(std::memory_order_relaxed));
    };
  }
  etcd::register_all(services_, router_);
  if (config.control_plane.clustor()) {
    forwarding_ = std::make_unique<Forwarding>(
        Forwarding::Parts{loop_, tenants_, services_, shared.registry});
    forwarding_->install(router_);
  }
  etcd::register_metrics_port(services_, metrics_router_);
  if (!config.grpc.tls.ca.empty()) {
    router_.require_certificates({std::begin(open_paths), std::end(open_paths)});
  }
}

void Worker::report_status(const SharedTelemetry& shared, bool whole,
                           absl::AnyInvocable<void(std::string)> done) {
  shared.status(whole, [this, done = std::move(done)](std::string text) mutable {
    loop_.post(
        [done = std::move(done), text = std::move(text)]() mutable { done(std::move(text)); });
  });
}

etcd::Governed Worker::governed(const SharedTelemetry& shared) const {
  const std::shared_ptr<const Governance> said = shared.governance.get();
  etcd::Governed governed{said->manifest_digest, said->routing_epoch, std::nullopt};
  if (said->proved_at) governed.age = loop_.fresh_now() - *said->proved_at;
  return governed;
}

Status Worker::listen(const std::string& address, std::shared_ptr<const tls::Source> tls,
                      std::shared_ptr<proxy::ConnectionCounts> counts) {
  auto listener = proxy::Listener::listen(
      loop_, address, router_, limits_of(config_.grpc), &observer_,
      /*reuse_port=*/config_.server.threads > 1, std::move(tls), {&shares_, std::move(counts)});
  if (!listener.ok()) return listener.status();
  listener_ = std::move(*listener);
  return {};
}

Status Worker::listen_metrics(const std::string& address) {
  auto listener = proxy::Listener::listen(loop_, address, metrics_router_, {}, nullptr,
                                          /*reuse_port=*/false);
  if (!listener.ok()) return listener.status();
  metrics_listener_ = std::move(*listener);
  return {};
}

std::string Worker::metrics_address() const {
  return metrics_listener_ == nullptr ? std::string() : metrics_listener_->address();
}

void Worker::run_shared_turn() {
  const Instant start = loop_.fresh_now();
  shares_.run_turn();
  shared_turn_seconds_.observe(loop_.fresh_now() - start);
}

void Worker::start_ticking() {
  tick_ = loop_.after(std::chrono::seconds(1), [this] { tick(); });
}

void Worker::tick() {
  connections_.store(listener_->connection_count(), std::memory_order_relaxed);
  services_.open_calls.serving_changed();
  start_ticking();
}

void Worker::drain(Duration delay, Duration timeout, loop::Task done) {
  etcd::begin_drain(services_);
  drain_timer_ = loop_.after(delay, [this, timeout, done = std::move(done)]() mutable {
    leave(timeout, std::move(done));
  });
}

void Worker::leave(Duration timeout, loop::Task done) {
  requests_end_ = loop_.now() + timeout;
  listener_->drain(timeout + last_words_max, std::move(done));
  drain_timer_ = loop_.after(drain_interval, [this] { end_long_calls_when_quiet(); });
}

void Worker::end_long_calls_when_quiet() {
  drain_timer_.reset();
  if (services_.running_calls == 0 || loop_.now() >= requests_end_) {
    return etcd::end_long_calls(services_);
  }
  drain_timer_ = loop_.after(drain_interval, [this] { end_long_calls_when_quiet(); });
}

void Worker::close() {
  tick_.reset();
  drain_timer_.reset();
  listener_.reset();
  metrics_listener_.reset();
  if (forwarding_ != nullptr) forwarding_->close();
}

}  // namespace lattice::server
