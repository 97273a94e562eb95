#include "server/running_tenant.h"

#include <utility>

namespace lattice::server {
namespace {

replica::Options options_of(replica::Options options, const etcd::Identity& identity,
                            const TenantBound& bound) {
  options.member_id = identity.member_id();
  options.linear_bound = bound.get();
  return options;
}

}  // namespace

RunningTenant::RunningTenant(Parts parts, SharedTelemetry& telemetry, NodeLinks& links,
                             Workers& workers)
    : name_(std::move(parts.name)),
      is_default_(parts.is_default),
      bound_(parts.options.linear_bound, name_),
      links_(links),
      workers_(workers),
      observer_(name_, parts.is_default, telemetry),
      log_id_(parts.opened.log->id()),
      identity_({.cluster_id = parts.opened.cluster_id,
                 .name = parts.options.node.name,
                 .client_urls = parts.options.node.client_urls}),
      limits_(std::move(parts.limits)),
      usage_(std::make_shared<etcd::TenantUsage>(observer_.gate_metrics())),
      flow_(make_flow()),
      environment_(owner(), &workers.front()->shares(), flow_),
      tenant_links_(links.join(&parts.opened, parts.session)),
      replica_(std::make_unique<replica::Replica>(
          options_of(std::move(parts.options), identity_, bound_), environment_,
          std::move(parts.opened.log), tenant_links_.get(), &observer_)) {
  replica_->set_limits(limits_);
  links_.attach(log_id_, *this);
}

RunningTenant::~RunningTenant() { links_.detach(log_id_); }

void RunningTenant::start() { replica_->start(); }

void RunningTenant::set_limits(SharedLimits limits) {
  limits_ = std::move(limits);
  replica_->set_limits(limits_);
  flow_->set_limits(limits_->weight, limits_->connections_max);
  if (!published_) return;
  for (auto& each : workers_) {
    Worker& worker = *each;
    worker.loop().post(
        [&worker, name = name_, limits = limits_] { worker.tenants().set_limits(name, limits); });
  }
}

void RunningTenant::report() {
  replica_->report_operations();
  observer_.on_quota(limits_->quota_bytes, replica_->quota_bytes_used());
  observer_.on_size(replica_->memory_bytes(), replica_->watch_lag());
}

void RunningTenant::serve(replica::PeerRequest request,
                          absl::AnyInvocable<void(replica::PeerReply)> done) {
  used_by_peers_ = owner().now();
  replica_->serve(std::move(request), std::move(done));
}

proxy::SharedFlow RunningTenant::make_flow() const {
  auto flow = std::make_shared<proxy::FairFlow>(
      std::shared_ptr<proxy::FairFlow::Count>(usage_, &usage_->connections));
  flow->set_limits(limits_->weight, limits_->connections_max);
  return flow;
}

void RunningTenant::publish() {
  published_ = true;
  const auto handle = [this](replica::Api& api, proxy::SharedFlow its_flow) {
    auto tenant = std::make_unique<etcd::Tenant>(api, identity_, etcd::Gate(limits_, usage_));
    tenant->flow = std::move(its_flow);
    tenant->requests = observer_.requests();
    tenant->is_default = is_default_;
    tenant->may_move = !is_default_;
    tenant->name = name_;
    return tenant;
  };
  Worker& first = *workers_.front();
  first.tenants().add(name_, handle(*replica_, flow_));
  for (size_t i = 1; i < workers_.size(); ++i) {
    Worker& worker = *workers_[i];
    FairInbox& inbox =
        *inboxes_.emplace_back(std::make_unique<FairInbox>(owner(), first.shares(), flow_));
    const auto post_to = [](auto& place) {
      return [&place](replica::Mailbox::Task task) { place.post(std::move(task)); };
    };
    replica::Api& api = *remote_apis_.emplace_back(std::make_unique<replica::RemoteApi>(
        *replica_, replica_->published(), replica::Mailbox{post_to(inbox), post_to(worker.loop())},
        worker.environment()));
    worker.loop().post([&worker, name = name_, tenant = handle(api, make_flow())]() mutable {
      worker.tenants().add(name, std::move(tenant));
    });
  }
}

void RunningTenant::when_idle_since(Instant moment, absl::AnyInvocable<void(bool idle)> done) {
  // Leases expire only where somebody keeps their deadlines.
  if (observer_.leases() > 0 || used_by_peers_ > moment ||
      !workers_.front()->tenants().idle_since(name_, moment)) {
    return done(false);
  }
  struct Poll {
    size_t missing;
    bool idle = true;
    absl::AnyInvocable<void(bool)> done;
  };
  if (workers_.size() == 1) return done(true);
  auto poll = std::make_shared<Poll>();
  poll->missing = workers_.size() - 1;
  poll->done = std::move(done);
  for (size_t i = 1; i < workers_.size(); ++i) {
    Worker& worker = *workers_[i];
    worker.loop().post([&worker, &owner = owner(), name = name_, moment, poll]() mutable {
      const bool idle = worker.tenants().idle_since(name, moment);
      owner.post([poll = std::move(poll), idle] {
        poll->idle &= idle;
        if (--poll->missing == 0) poll->done(poll->idle);
      });
    });
  }
}

void RunningTenant::withdraw() {
  if (std::exchange(withdrawn_, true)) return;
  closing_steps_ = workers_.size() + 1;
  // A loop's answer comes behind all that its calls have asked of the replica.
  const auto answer = [this, asked = published_](size_t i) {
    const auto step = [this] { on_closing_step(); };
    i == 0 || !asked ? owner().post(step) : inboxes_[i - 1]->post(step);
  };
  for (size_t i = 0; i < workers_.size(); ++i) {
    // What a table has under this name is then another one's: that of the log which was copied.
    if (!published_) {
      answer(i);
      continue;
    }
    Worker& worker = *workers_[i];
    worker.loop().post([&worker, answer, i, name = name_] {
      worker.tenants().retire(name, [answer, i] { answer(i); });
    });
  }
}

void RunningTenant::close(bool now, StatusCallback done) {
  on_closed_ = std::move(done);
  // In this order: a loop that has nothing to wait for answers later.
  withdraw();
  if (closing_steps_ == 1) return stop_replica();
  if (!now) return;
  // Behind the loops' tables, so that calls which begin again do not find these handles.
  stopping_ = true;
  owner().post([this] { stop_replica(); });
}

void RunningTenant::stop_replica() {
  stopping_ = true;
  links_.detach(log_id_);
  replica_->stop(
      [this](const Status& status) {
        stop_status_ = status;
        on_closing_step();
      },
      Error::unsent);
}

void RunningTenant::on_closing_step() {
  --closing_steps_;
  if (!on_closed_) return;  // withdrawn, and goes on for now
  if (closing_steps_ == 1 && !stopping_) return stop_replica();
  if (closing_steps_ == 0) {
    owner().defer([this] { std::exchange(on_closed_, nullptr)(std::move(stop_status_)); });
  }
}

}  // namespace lattice::server
