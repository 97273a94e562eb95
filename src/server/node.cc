#include "server/node.h"

#include <optional>
#include <utility>

#include "base/keyring.h"
#include "peer/forward_server.h"
#include "peer/peer_client.h"

namespace lattice::server {
namespace {

// Longer than others take to repeat a call that was answered with not_leader.
constexpr Duration quiet_interval = std::chrono::milliseconds(100);
constexpr Duration quiet_wait_max = std::chrono::seconds(1);

}  // namespace

struct Node::Impl {
  Impl(const NodePort& its_port, const Parts& parts)
      : port(its_port),
        cluster(std::to_string(parts.cluster_id)),
        keyring(parts.secrets),
        around(surroundings(parts.loop, parts.environment)),
        forward_server(around),
        client(around) {}

  peer::Surroundings surroundings(loop::Loop& loop, replica::Environment& environment) const {
    return {port.surroundings(loop, environment), keyring, cluster};
  }

  const NodePort& port;
  const std::string cluster;
  const Keyring keyring;
  peer::Surroundings around;
  peer::ForwardServer forward_server;
  peer::PeerClient client;
  std::optional<NodePort::Place> place;
  std::unique_ptr<loop::TimerHandle> quiet_timer;
  loop::Task on_quiet;

  void wait_for_quiet(uint64_t calls_before, Instant give_up) {
    quiet_timer = around.loop.after(quiet_interval, [this, calls_before, give_up] {
      const uint64_t calls = place->realm.calls();
      const bool quiet = calls == calls_before || around.loop.now() >= give_up;
      if (quiet) return std::exchange(on_quiet, {})();
      wait_for_quiet(calls, give_up);
    });
  }
};

Result<std::unique_ptr<Node>> Node::open(NodePort& port, const Parts& parts) {
  auto impl = std::make_unique<Impl>(port, parts);
  Result<NodePort::Place> place = port.join(impl->cluster, impl->keyring);
  if (!place.ok()) return place.status();
  impl->place.emplace(std::move(*place));
  return std::unique_ptr<Node>(new Node(std::move(impl)));
}

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() = default;

const std::string& Node::address() const { return impl_->place->address; }

std::unique_ptr<replica::Peers> Node::peers(const replica::LogId& log) {
  return impl_->client.peers(log);
}

void Node::attach(const replica::LogId& log, replica::PeerService& service) {
  impl_->place->realm.attach(log, service);
}

void Node::detach(const replica::LogId& log) { impl_->place->realm.detach(log); }

void Node::serve_forwarded(const proxy::Router& services) {
  impl_->forward_server.register_with(impl_->place->router, services);
}

std::unique_ptr<peer::Surroundings> Node::surroundings(loop::Loop& loop,
                                                       replica::Environment& environment) const {
  return std::make_unique<peer::Surroundings>(impl_->surroundings(loop, environment));
}

void Node::leave() { impl_->forward_server.leave(); }

void Node::when_quiet(loop::Task done) {
  impl_->on_quiet = std::move(done);
  impl_->wait_for_quiet(impl_->place->realm.calls(), impl_->around.loop.now() + quiet_wait_max);
}

}  // namespace lattice::server
