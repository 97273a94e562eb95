#include "server/leader_keeper.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace lattice::server {
namespace {

constexpr Duration leader_look_interval = std::chrono::seconds(1);
// Longer than the successor may take to load the tenant, and then to take over.
constexpr Duration attempt_max = std::chrono::seconds(15);
// A successor that does not take over has interrupted writes for a while.
constexpr Duration backoff_min = std::chrono::seconds(2);
constexpr Duration backoff_max = std::chrono::seconds(60);

constexpr const char* readiness_path = "/etcdserverpb.Maintenance/Status";

// The address of the node that should lead instead of this one; empty: none.
const std::string& successor_of(const Route& route) {
  const bool other_serves = route.elsewhere && !route.addresses.empty();
  return other_serves ? route.addresses.front() : route.leader;
}

}  // namespace

// Whether a node serves a tenant, which it loads for the answer.
class LeaderKeeper::Question final : private proxy::ClientStreamEvents {
 public:
  Question(peer::ForwardClient& client, const std::string& address, const std::string& tenant,
           const std::string& self, absl::AnyInvocable<void(bool serves)> done)
      : done_(std::move(done)),
        stream_(client.open(address, {{tenant, 0}, self, {}, {}}, readiness_path,
                            {{"grpc-timeout", "10S"}}, *this)) {
    stream_->send(ByteChain());
    stream_->half_close();
  }

 private:
  void on_end(const proxy::ClientStreamEnd& end) override {
    done_(end.answered && end.status.code == proxy::GrpcCode::ok);
  }

  absl::AnyInvocable<void(bool)> done_;
  std::unique_ptr<proxy::ClientStream> stream_;
};

LeaderKeeper::LeaderKeeper(Worker& owner, Databases& tenants, telemetry::Logger& log)
    : owner_(owner), tenants_(tenants), log_(log) {
  timer_ = owner_.loop().after(leader_look_interval, [this] { look(); });
}

LeaderKeeper::~LeaderKeeper() { *alive_ = false; }

void LeaderKeeper::use(std::shared_ptr<const Routes> routes) {
  routes_ = std::move(routes);
  look();
}

void LeaderKeeper::look() {
  timer_ = owner_.loop().after(leader_look_interval, [this] { look(); });
  tenants_.each_running([this](RunningTenant& tenant) {
    const auto route = routes_->find(tenant.name());
    const bool governed = route != routes_->end();
    tenant.replica().prefer_leader(governed ? successor_of(route->second) : std::string());
    if (governed) consider(tenant, route->second);
  });
}

void LeaderKeeper::consider(RunningTenant& tenant, const Route& route) {
  const std::string& successor = successor_of(route);
  if (!tenant.replica().leads() || successor.empty()) return;
  peer::ForwardClient* const client = owner_.forwarding()->client();
  Attempt& attempt = attempts_[tenant.name()];
  if (client == nullptr || now() < attempt.not_before) return;
  attempt.not_before = now() + attempt_max;
  client->when_ready(successor, alive_,
                     [this, name = tenant.name(), address = successor](const Status& status) {
                       status.ok() ? ask(name, address) : try_later(name);
                     });
}

void LeaderKeeper::ask(const std::string& tenant, const std::string& successor) {
  peer::ForwardClient* const client = owner_.forwarding()->client();
  if (client == nullptr || !client->ready(successor)) return try_later(tenant);
  attempts_[tenant].question = std::make_unique<Question>(
      *client, successor, tenant, owner_.address(), [this, tenant, successor](bool serves) {
        // Later: the question dies.
        owner_.loop().defer([this, alive = alive_, tenant, successor, serves] {
          if (*alive) on_answer(tenant, successor, serves);
        });
      });
}

RunningTenant* LeaderKeeper::still_led(const std::string& tenant, const std::string& successor) {
  RunningTenant* const running = tenants_.find_running(tenant);
  const auto route = routes_->find(tenant);
  const bool still = running != nullptr && running->replica().leads() && route != routes_->end() &&
                     successor_of(route->second) == successor;
  return still ? running : nullptr;
}

// A node of a version that has another port for each database serves the tenant, and would not hear
// that it should take over, while writes wait for that: its address is not the one it has there.
void LeaderKeeper::on_answer(const std::string& tenant, const std::string& successor, bool serves) {
  attempts_[tenant].question.reset();
  RunningTenant* const running = still_led(tenant, successor);
  if (!serves || running == nullptr) return try_later(tenant);
  running->replica().members([this, alive = alive_, tenant,
                              successor](const Result<std::vector<replica::Member>>& members) {
    if (!*alive) return;
    const bool known = members.ok() && std::ranges::any_of(*members, [&](const auto& member) {
                         return member.node.address == successor;
                       });
    known ? hand_over(tenant, successor) : try_later(tenant);
  });
}

void LeaderKeeper::hand_over(const std::string& tenant, const std::string& successor) {
  RunningTenant* const running = still_led(tenant, successor);
  if (running == nullptr) return try_later(tenant);
  log_.info("handing the leadership over", {{"tenant", tenant}, {"to", successor}});
  running->replica().move_leader(successor,
                                 [this, alive = alive_, tenant, successor](const Status& status) {
                                   if (*alive) on_handed_over(tenant, successor, status);
                                 });
}

void LeaderKeeper::on_handed_over(const std::string& tenant, const std::string& successor,
                                  const Status& status) {
  if (status.ok()) {
    attempts_.erase(tenant);
    return;
  }
  log_.warn("the leadership was not taken over",
            {{"tenant", tenant}, {"by", successor}, {"cause", status}});
  try_later(tenant);
}

void LeaderKeeper::try_later(const std::string& tenant) {
  Attempt& attempt = attempts_[tenant];
  attempt.backoff = std::clamp(2 * attempt.backoff, backoff_min, backoff_max);
  attempt.not_before = now() + attempt.backoff;
}

}  // namespace lattice::server
