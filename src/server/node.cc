#include "server/node.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/keyring.h"
#include "peer/forward_server.h"
#include "peer/peer_client.h"
#include "peer/peer_server.h"

namespace lattice::server {
namespace {

// Longer than others take to repeat a call that was answered with not_leader.
constexpr Duration quiet_interval = std::chrono::milliseconds(100);
constexpr Duration quiet_wait_max = std::chrono::seconds(1);

// A call may carry a client's largest request.
peer::Limits limits_of(const config::Config& config) {
  constexpr size_t overhead_bytes = 1 << 20;
  peer::Limits limits;
  limits.message_bytes_max =
      std::max(limits.message_bytes_max, config.grpc.request_bytes_max + overhead_bytes);
  limits.waiting_bytes_max = std::max(limits.waiting_bytes_max, 4 * limits.message_bytes_max);
  return limits;
}

std::string advertised(const std::string& configured, const std::string& bound) {
  const std::string port = bound.substr(bound.rfind(':'));
  if (configured.empty()) {
    const std::string host = bound.substr(0, bound.rfind(':'));
    return host == "0.0.0.0" || host == "[::]" ? host_name() + port : bound;
  }
  const size_t colon = configured.rfind(':');
  return configured.substr(colon) == ":0" ? configured.substr(0, colon) + port : configured;
}

// Tells what keeps other nodes from connecting.
class PortObserver final : public proxy::Observer {
 public:
  explicit PortObserver(peer::Surroundings& around) : trouble_(around) {}

  CallNote on_call_started(std::string_view) override { return nullptr; }
  void on_message_received(CallNote) override {}
  void on_message_sent(CallNote) override {}
  void on_call_finished(CallNote, std::string_view, proxy::GrpcCode, Duration) override {}
  void on_bytes(size_t, size_t) override {}
  void on_goaway(std::string_view) override {}
  void on_transport_failure(std::string_view peer, const proxy::TransportFailure& failure,
                            bool) override {
    trouble_.tell(std::string(peer.substr(0, peer.rfind(':'))),
                  failure.text.empty() ? failure.cause : failure.text);
  }

 private:
  peer::TroubleLog trouble_;
};

}  // namespace

struct Node::Impl {
  Impl(const config::Config& config, const Parts& parts)
      : keyring(parts.secrets),
        log(parts.log),
        around(surroundings(parts.loop, parts.environment, std::to_string(parts.cluster_id),
                            limits_of(config), parts.tls.node_calls)),
        troubles(around),
        server(around),
        forward_server(around),
        client(around) {
    server.register_with(router);
  }

  peer::Surroundings surroundings(loop::Loop& loop, replica::Environment& environment,
                                  std::string cluster, const peer::Limits& limits,
                                  std::shared_ptr<const tls::Source> tls) const {
    return {loop,
            keyring,
            std::move(cluster),
            [&environment](std::span<uint8_t> out) { environment.random_bytes(out); },
            [&log = log](std::string_view node, std::string_view trouble) {
              log.warn("trouble with another node", {{"node", node}, {"cause", trouble}});
            },
            limits,
            std::move(tls)};
  }

  const Keyring keyring;
  telemetry::Logger& log;
  peer::Surroundings around;
  PortObserver troubles;
  peer::PeerServer server;
  peer::ForwardServer forward_server;
  proxy::Router router;
  std::unique_ptr<proxy::Listener> listener;
  peer::PeerClient client;
  std::string address;
  std::unique_ptr<loop::TimerHandle> quiet_timer;
  loop::Task on_quiet;

  void wait_for_quiet(uint64_t calls_before, Instant give_up) {
    quiet_timer = around.loop.after(quiet_interval, [this, calls_before, give_up] {
      const bool quiet = server.calls() == calls_before || around.loop.now() >= give_up;
      if (quiet) return std::exchange(on_quiet, {})();
      wait_for_quiet(server.calls(), give_up);
    });
  }
};

Result<std::unique_ptr<Node>> Node::open(const config::Config& config, Parts parts) {
  loop::Loop& loop = parts.loop;
  const auto tls = parts.tls.node_port;
  auto impl = std::make_unique<Impl>(config, parts);
  auto listener = proxy::Listener::listen(loop, config.cluster.bind, impl->router,
                                          impl->server.listener_limits(), &impl->troubles,
                                          /*reuse_port=*/false, tls);
  if (!listener.ok()) return listener.status();
  impl->listener = std::move(*listener);
  impl->address = advertised(config.cluster.advertise, impl->listener->address());
  return std::unique_ptr<Node>(new Node(std::move(impl)));
}

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() = default;

const std::string& Node::address() const { return impl_->address; }

std::unique_ptr<replica::Peers> Node::peers(const replica::LogId& log) {
  return impl_->client.peers(log);
}

void Node::attach(const replica::LogId& log, replica::PeerService& service) {
  impl_->server.attach(log, service);
}

void Node::detach(const replica::LogId& log) { impl_->server.detach(log); }

void Node::serve_forwarded(const proxy::Router& services) {
  impl_->forward_server.register_with(impl_->router, services);
}

std::unique_ptr<peer::Surroundings> Node::surroundings(loop::Loop& loop,
                                                       replica::Environment& environment) const {
  const peer::Surroundings& own = impl_->around;
  return std::make_unique<peer::Surroundings>(
      impl_->surroundings(loop, environment, own.cluster, own.limits, own.tls));
}

void Node::leave() { impl_->forward_server.leave(); }

void Node::close() { impl_->listener.reset(); }

void Node::when_quiet(loop::Task done) {
  impl_->on_quiet = std::move(done);
  impl_->wait_for_quiet(impl_->server.calls(), impl_->around.loop.now() + quiet_wait_max);
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == 0) return "localhost";
  return name.data();
}

}  // namespace lattice::server
