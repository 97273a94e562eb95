#include "server/node_links.h"

#include <utility>
#include <vector>

namespace lattice::server {

Result<std::unique_ptr<NodeLinks>> NodeLinks::open(const config::Config& config,
                                                   const TlsSources& tls, NodePort& port,
                                                   const StoreSurroundings& around,
                                                   const OpenedLog& opened) {
  auto links = std::unique_ptr<NodeLinks>(new NodeLinks(config));
  if (opened.sessions == nullptr) return links;
  if (Status status = links->open_node(port, around, opened); !status.ok()) return status;
  // Messages are believed by their MAC, so without a secret there are none.
  if (!links->keyring_) return links;
  Result<std::unique_ptr<FanOut>> fan_out =
      FanOut::open(around.loop, config.fanout.url, tls.redis, around.dependencies.redis);
  if (!fan_out.ok()) return fan_out.status();
  links->fan_out_ = std::move(*fan_out);
  return links;
}

Status NodeLinks::open_node(NodePort& port, const StoreSurroundings& around,
                            const OpenedLog& opened) {
  std::vector<std::string> secrets = config_.cluster.secrets;
  if (secrets.empty() && !opened.cluster_secret.empty()) secrets = {opened.cluster_secret};
  if (config_.cluster.bind.empty() || secrets.empty()) return {};
  keyring_.emplace(secrets);
  Result<std::unique_ptr<Node>> node = Node::open(port, {.loop = around.loop,
                                                         .environment = around.environment,
                                                         .cluster_id = opened.cluster_id,
                                                         .secrets = std::move(secrets)});
  if (!node.ok()) return node.status();
  node_ = std::move(*node);
  return {};
}

replica::NodeInfo NodeLinks::info(const std::string& client_address) const {
  replica::NodeInfo info;
  info.name = config_.cluster.name;
  if (node_ != nullptr) {
    info.address = node_->address();
    info.name = config_.cluster.node_name;
    if (info.name.empty()) {
      info.name = host_name() + client_address.substr(client_address.rfind(':'));
    }
  }
  info.client_urls = config_.cluster.advertise_client_urls;
  if (info.client_urls.empty()) {
    const char* scheme = config_.grpc.tls.has_certificate() ? "https://" : "http://";
    info.client_urls.push_back(scheme + client_address);
  }
  return info;
}

TenantLinks NodeLinks::join(OpenedLog* opened, replica::SessionKeeper* session) {
  TenantLinks links;
  links.session = session;
  if (keyring_) links.keyring = &*keyring_;
  if (node_ != nullptr) links.peers = node_->peers(opened->log->id());
  if (fan_out_ != nullptr) {
    links.fanout = fan_out_->join(opened->log->id(), std::move(opened->fanout));
  }
  return links;
}

void NodeLinks::attach(const replica::LogId& log, replica::PeerService& service) {
  if (node_ != nullptr) node_->attach(log, service);
}

void NodeLinks::detach(const replica::LogId& log) {
  if (node_ != nullptr) node_->detach(log);
}

void NodeLinks::serve_forwarded(const proxy::Router& services) {
  if (node_ != nullptr) node_->serve_forwarded(services);
}

std::unique_ptr<peer::Surroundings> NodeLinks::surroundings(
    loop::Loop& loop, replica::Environment& environment) const {
  return node_ == nullptr ? nullptr : node_->surroundings(loop, environment);
}

void NodeLinks::leave() {
  if (node_ != nullptr) node_->leave();
}

void NodeLinks::when_quiet(loop::Task done) {
  node_ == nullptr ? done() : node_->when_quiet(std::move(done));
}

}  // namespace lattice::server
