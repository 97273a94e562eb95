// A tenant that this process has in memory: its replica, what ties it to other nodes, and a handle
// on every loop.
//
// Thread: the owner's loop, which is the first worker's; handles live on their workers' loops.
// Ownership: owns the replica. Before it is destroyed, close() has called back, or no loop runs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "replica/remote_api.h"
#include "replica/replica.h"
#include "server/fair_inbox.h"
#include "server/node_links.h"
#include "server/replica_observer.h"
#include "server/worker.h"

namespace lattice::server {

using Workers = std::vector<std::unique_ptr<Worker>>;

// LIN-BOUND as it concerns one tenant.
class TenantBound final : public replica::LinearBound {
 public:
  TenantBound(const replica::LinearBound* bound, const std::string& tenant)
      : bound_(bound), tenant_(tenant) {}
  Status check(Instant now) const override { return bound_->check_tenant(tenant_, now); }
  // Null where nobody governs.
  const replica::LinearBound* get() const { return bound_ == nullptr ? nullptr : this; }

 private:
  const replica::LinearBound* const bound_;
  const std::string& tenant_;
};

class RunningTenant final : private replica::PeerService {
 public:
  struct Parts {
    std::string name;
    bool is_default = false;
    replica::Options options;
    SharedLimits limits;  // not null
    OpenedLog opened;
    replica::SessionKeeper* session = nullptr;  // the process's; null where logs are exclusive
  };
  RunningTenant(Parts parts, SharedTelemetry& telemetry, NodeLinks& links, Workers& workers);
  ~RunningTenant() override;

  ReplicaObserver& observer() { return observer_; }
  replica::Replica& replica() { return *replica_; }
  const std::string& name() const { return name_; }

  void start();
  // In force here and, a moment later, on every loop. Requires: not null.
  void set_limits(SharedLimits limits);
  // What no event reports.
  void report();
  // Gives every loop its handle: the replica itself where it lives, messages to it elsewhere.
  void publish();
  bool published() const { return published_; }
  // Whether anybody has used it since `moment`; answered on the owner's loop.
  void when_idle_since(Instant moment, absl::AnyInvocable<void(bool idle)> done);
  // Takes the handles back: who comes from now on waits for another RunningTenant of that name.
  void withdraw();
  bool withdrawn() const { return withdrawn_; }
  // Takes the handles back, ends the calls (if `now`: those that have had no effect begin again
  // with the tenant as it is by then, the others end at once; otherwise they finish), stops the
  // replica. After `done` it may be destroyed, though not inside that call. The error no_leader:
  // see Replica::stop.
  void close(bool now, StatusCallback done);
  // Stops the replica while the handles stay, which answer `stopped`: the process ends.
  void stop(StatusCallback done) { replica_->stop(std::move(done)); }

 private:
  void serve(replica::PeerRequest request,
             absl::AnyInvocable<void(replica::PeerReply)> done) override;
  // Of one loop.
  proxy::SharedFlow make_flow() const;
  void stop_replica();
  void on_closing_step();
  loop::Loop& owner() { return workers_.front()->loop(); }

  const std::string name_;
  const bool is_default_;
  const TenantBound bound_;
  NodeLinks& links_;
  Workers& workers_;
  ReplicaObserver observer_;
  const replica::LogId log_id_;
  const etcd::Identity identity_;
  SharedLimits limits_;
  const std::shared_ptr<etcd::TenantUsage> usage_;  // of all handles
  const proxy::SharedFlow flow_;                    // at the owner's loop
  LoopEnvironment environment_;
  TenantLinks tenant_links_;
  std::unique_ptr<replica::Replica> replica_;
  // Of all workers but the first; the inboxes take what they ask.
  std::vector<std::unique_ptr<FairInbox>> inboxes_;
  std::vector<std::unique_ptr<replica::RemoteApi>> remote_apis_;
  Instant used_by_peers_;
  bool published_ = false;
  bool withdrawn_ = false;
  bool stopping_ = false;
  size_t closing_steps_ = 0;  // still to come: one for each loop, one for the replica
  Status stop_status_;
  StatusCallback on_closed_;
};

}  // namespace lattice::server
