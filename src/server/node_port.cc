#include "server/node_port.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace lattice::server {
namespace {

// A call may carry a client's largest request.
peer::Limits limits_of(const config::Config& config) {
  constexpr size_t overhead_bytes = 1 << 20;
  peer::Limits limits;
  limits.message_bytes_max =
      std::max(limits.message_bytes_max, config.grpc.request_bytes_max + overhead_bytes);
  limits.waiting_bytes_max = std::max(limits.waiting_bytes_max, 4 * limits.message_bytes_max);
  return limits;
}

std::string with_free_port(const std::string& address) {
  return address.empty() ? address : address.substr(0, address.rfind(':')) + ":0";
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
  explicit PortObserver(peer::PortSurroundings& around) : trouble_(around) {}

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

struct NodePort::Door {
  explicit Door(peer::PortSurroundings with) : around(std::move(with)) {
    server.register_with(router);
  }

  peer::PortSurroundings around;
  PortObserver troubles{around};
  peer::PeerServer server{around};
  proxy::Router router;
  std::unique_ptr<proxy::Listener> listener;
  std::string address;
};

NodePort::NodePort(const config::Config& config, const Parts& parts)
    : config_(config), parts_(parts) {}
NodePort::~NodePort() = default;

Result<NodePort::Place> NodePort::join(const std::string& cluster, const Keyring& keyring) {
  const auto free =
      std::ranges::find_if(doors_, [&](const auto& door) { return !door->server.has(cluster); });
  Result<Door*> door = free != doors_.end() ? Result<Door*>(free->get()) : open_door();
  if (!door.ok()) return door.status();
  return Place{(*door)->address, (*door)->router, (*door)->server.admit(cluster, keyring)};
}

Result<NodePort::Door*> NodePort::open_door() {
  const config::Cluster& cluster = config_.cluster;
  const bool first = doors_.empty();
  auto door = std::make_unique<Door>(surroundings(parts_.loop, parts_.environment));
  auto listener = proxy::Listener::listen(
      parts_.loop, first ? cluster.bind : with_free_port(cluster.bind), door->router,
      door->server.listener_limits(), &door->troubles, /*reuse_port=*/false, parts_.tls.node_port);
  if (!listener.ok()) return listener.status();
  door->listener = std::move(*listener);
  door->address = advertised(first ? cluster.advertise : with_free_port(cluster.advertise),
                             door->listener->address());
  parts_.log.info("listening to other nodes", {{"address", door->address}});
  doors_.push_back(std::move(door));
  return doors_.back().get();
}

peer::PortSurroundings NodePort::surroundings(loop::Loop& loop,
                                              replica::Environment& environment) const {
  return {loop, [&environment](std::span<uint8_t> out) { environment.random_bytes(out); },
          [&log = parts_.log](std::string_view node, std::string_view trouble) {
            log.warn("trouble with another node", {{"node", node}, {"cause", trouble}});
          },
          limits_of(config_), parts_.tls.node_calls};
}

void NodePort::close() {
  for (auto& door : doors_) door->listener.reset();
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == 0) return "localhost";
  return name.data();
}

}  // namespace lattice::server
