#include "server/routing.h"

#include <utility>

namespace lattice::server {

Routing::Routing(Parts parts)
    : parts_(std::move(parts)), leaders_(owner(), parts_.tenants, parts_.log) {
  parts_.links.serve_forwarded(owner().router());
  for (auto& each : parts_.workers) {
    Worker& worker = *each;
    worker.loop().post([&worker,
                        around = parts_.links.surroundings(worker.loop(), worker.environment()),
                        governor = governor_of(worker)]() mutable {
      worker.forwarding()->connect(std::move(around), std::move(governor));
    });
  }
}

// Whatever is told to a loop before the answer is in use there when that comes.
Forwarding::Governor Routing::governor_of(Worker& worker) {
  loop::Loop& owner_loop = owner().loop();
  ControlPlane& plane = parts_.control_plane;
  return {.refresh =
              [&worker, &owner_loop, &plane](loop::Task done) {
                owner_loop.post([&worker, &plane, done = std::move(done)]() mutable {
                  plane.refresh([&worker, done = std::move(done)]() mutable {
                    worker.loop().post(std::move(done));
                  });
                });
              },
          .hear_of_epoch =
              [&owner_loop, &plane](const std::string& tenant, int64_t epoch) {
                owner_loop.post([&plane, tenant, epoch] { plane.hear_of_epoch(tenant, epoch); });
              }};
}

void Routing::leave() {
  parts_.control_plane.leave();
  parts_.links.leave();
}

void Routing::set_documents(const control::Documents& documents) {
  auto routes = std::make_shared<const Routes>(routes_of(documents, parts_.node));
  if (*routes == *routes_) return;
  for (const auto& [tenant, route] : *routes) {
    const auto before = routes_->find(tenant);
    const bool was_elsewhere = before != routes_->end() && before->second.elsewhere;
    if (route.elsewhere == was_elsewhere) continue;
    parts_.log.info(route.elsewhere ? "a tenant is served by other nodes: requests are passed on"
                                    : "a tenant is served by this node",
                    {{"tenant", tenant}, {"epoch", route.epoch}});
  }
  routes_ = routes;
  for (auto& each : parts_.workers) {
    Worker& worker = *each;
    worker.loop().post([&worker, routes] { worker.forwarding()->use(routes); });
  }
  leaders_.use(std::move(routes));
}

}  // namespace lattice::server
