#include "peer/forward_client.h"

#include <algorithm>
#include <utility>

namespace lattice::peer {
namespace {

constexpr Duration sweep_interval = std::chrono::seconds(5);

}  // namespace

ForwardClient::ForwardClient(Surroundings& around)
    : around_(around),
      context_(std::make_shared<proxy::ClientContext>(around.loop)),
      trouble_(around) {}

ForwardClient::~ForwardClient() = default;

bool ForwardClient::ready(const std::string& address) const {
  const auto found = nodes_.find(address);
  return found != nodes_.end() && found->second->link != nullptr &&
         found->second->link->takes_requests();
}

std::string_view ForwardClient::failure(const std::string& address) const {
  const auto found = nodes_.find(address);
  return found == nodes_.end() ? std::string_view() : found->second->failure;
}

void ForwardClient::when_ready(const std::string& address, std::shared_ptr<const bool> alive,
                               absl::AnyInvocable<void(Status)> done) {
  std::unique_ptr<Node>& slot = nodes_[address];
  const Instant now = around_.loop.now();
  if (slot == nullptr) {
    slot = std::make_unique<Node>();
    slot->retry_at = now;
    if (timer_ == nullptr) timer_ = around_.loop.after(sweep_interval, [this] { sweep(); });
  }
  Node& node = *slot;
  node.last_used = now;
  node.waiting.push_back({std::move(alive), std::move(done)});
  if (node.link != nullptr && node.link->state() == ForwardLink::State::ready &&
      !node.link->takes_requests()) {
    node.ending.push_back(std::move(node.link));  // it says so itself, a moment later
  }
  if (node.link == nullptr && now >= node.retry_at) return connect(address, node);
  const bool connecting =
      node.link != nullptr && node.link->state() == ForwardLink::State::connecting;
  if (!connecting)
    around_.loop.post([this, address, alive = std::weak_ptr(context_)] {
      if (!alive.expired()) look_at(address);
    });
}

void ForwardClient::connect(const std::string& address, Node& node) {
  node.link = std::make_unique<ForwardLink>(around_, *context_, address, [this, address] {
    // Later: requests may be on the stack that a callback would end.
    around_.loop.defer([this, address, alive = std::weak_ptr(context_)] {
      if (!alive.expired()) look_at(address);
    });
  });
}

void ForwardClient::look_at(const std::string& address) {
  const auto found = nodes_.find(address);
  if (found == nodes_.end()) return;
  Node& node = *found->second;
  const auto over = [&](std::unique_ptr<ForwardLink>& link) {
    const bool done = link->state() == ForwardLink::State::over ||
                      (link->state() == ForwardLink::State::ending && link->open_requests() == 0);
    if (done) discard(std::move(link));
    return done;
  };
  std::erase_if(node.ending, over);
  if (node.link != nullptr && node.link->state() == ForwardLink::State::over) {
    node.backoff =
        std::clamp(2 * node.backoff, around_.limits.backoff_min, around_.limits.backoff_max);
    node.retry_at = around_.loop.now() + node.backoff;
    node.reason = node.link->reason();
    node.failure = node.link->failure();
    trouble_.tell(address, node.reason);
    discard(std::move(node.link));
    return tell(node, Status(Error::backend_unavailable, address + ": " + node.reason));
  }
  if (node.link != nullptr && node.link->state() == ForwardLink::State::ending) {
    node.ending.push_back(std::move(node.link));
  }
  if (node.link != nullptr && node.link->takes_requests()) {
    node.backoff = {};
    node.reason.clear();
    node.failure = {};
    return tell(node, {});
  }
  // Whoever waits asks another node, or comes again.
  if (node.link != nullptr) return;
  const std::string& why = node.reason.empty() ? "gone" : node.reason;
  tell(node, Status(Error::backend_unavailable, address + ": " + why));
}

void ForwardClient::tell(Node& node, const Status& status) {
  std::vector<Waiting> waiting;
  waiting.swap(node.waiting);
  const std::weak_ptr<proxy::ClientContext> alive = context_;
  for (Waiting& each : waiting) {
    if (alive.expired()) return;
    if (*each.alive) each.done(status);
  }
}

void ForwardClient::discard(std::unique_ptr<ForwardLink> link) {
  around_.loop.defer([context = context_, link = std::move(link)] {});
}

std::unique_ptr<proxy::ClientStream> ForwardClient::open(const std::string& address,
                                                         const ForwardedHead& head,
                                                         std::string_view path,
                                                         proxy::Metadata metadata,
                                                         proxy::ClientStreamEvents& events) {
  Node& node = *nodes_.find(address)->second;
  node.last_used = around_.loop.now();
  return node.link->open(head, path, std::move(metadata), events);
}

void ForwardClient::sweep() {
  timer_ = around_.loop.after(sweep_interval, [this] { sweep(); });
  std::vector<std::string> all;
  for (const auto& [address, node] : nodes_) all.push_back(address);
  for (const std::string& address : all) {
    look_at(address);
    const auto found = nodes_.find(address);
    if (found == nodes_.end()) continue;
    Node& node = *found->second;
    const bool idle = around_.loop.now() - node.last_used >= around_.limits.idle_max;
    if (!idle || !node.waiting.empty() || !node.ending.empty()) continue;
    if (node.link != nullptr && node.link->open_requests() > 0) continue;
    if (node.link != nullptr) discard(std::move(node.link));
    nodes_.erase(found);
  }
}

}  // namespace lattice::peer
