// The clustor control plane in this process: follows the quorum, keeps what it said, in memory and
// on disk, says how old that is, and registers this node. LIN-BOUND asks it.
//
// Thread: the owner's loop, which is the first worker's. Ownership: what is around it outlives it,
// and it the tenants' replicas.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "config/config.h"
#include "control/cache.h"
#include "control/follower.h"
#include "control/registration.h"
#include "loop/side_thread.h"
#include "replica/linear_bound.h"
#include "server/document_rules.h"
#include "server/shared_telemetry.h"
#include "telemetry/control_metrics.h"

namespace lattice::server {

// What is wrong in that state; empty: nothing.
std::string trouble_of(control::CacheState state);

// How long what may take, by how old the cache may get.
struct ControlTiming {
  Duration probe_interval;
  Duration request_timeout;
  Duration backoff_max;
};
ControlTiming control_timing(const config::ControlPlane& config);

class ControlPlane final : public replica::LinearBound, private control::Follower::Host {
 public:
  struct Surroundings {
    loop::Loop& loop;
    SharedTelemetry& telemetry;
    SharedDependency dependency;
  };
  struct Events {
    // Those in force have changed, or were never told.
    absl::AnyInvocable<void(std::shared_ptr<const control::Documents>)> on_documents;
    // LIN-BOUND may have opened or closed.
    absl::AnyInvocable<void()> on_bound;
  };
  // Reads what the last process has left on disk; null in mode standalone.
  static std::unique_ptr<ControlPlane> open(const config::Config& config,
                                            std::shared_ptr<const tls::Source> tls,
                                            const Surroundings& around);
  ControlPlane(const config::Config& config, std::shared_ptr<const tls::Source> tls,
               const Surroundings& around);
  ~ControlPlane() override;

  Status check(Instant now) const override;
  Status check_tenant(std::string_view tenant, Instant now) const override;
  // Asks the control plane once, then calls `done`: also when it does not answer for a while.
  void refresh(loop::Task done);
  // Another node knows this routing epoch of a tenant: until it is known here, LIN-BOUND is closed
  // for the tenant.
  void hear_of_epoch(const std::string& tenant, int64_t epoch);
  // 0: it has none.
  int64_t routing_epoch(std::string_view tenant) const;
  control::CacheState state() const { return cache_.state(around_.loop.now()); }
  // Begins to follow, as the node of that name; tells what is known from the disk at once.
  void start(const std::string& node, const control::NodeRecord& self, Events events);
  // The node ends: its record goes, as far as that can still be told.
  void leave();

 private:
  // ---- control::Follower::Host ----
  Status on_all(const control::Origin& origin, std::vector<control::Version> all,
                Instant asked_at) override;
  Status on_changes(uint64_t cluster_id, std::vector<control::Version> changes) override;
  Result<bool> on_probe(const control::Origin& origin, int64_t count, int64_t newest,
                        Instant asked_at) override;
  void on_connected(const std::string& endpoint, control::Connection& connection) override;
  void on_disconnected(const std::string& endpoint, const std::string& reason) override;
  void random_bytes(std::span<uint8_t> out) override;

  void end_refresh(Instant asked_at);

  telemetry::Logger& log() { return around_.telemetry.log; }
  void restore();
  void tell_documents();
  void tell_problems();
  void tell_governance();
  // After a proof, and when the time has come.
  void look_at_state();
  Status refused(Status status);
  void save();

  const config::ControlPlane& config_;
  const Surroundings around_;
  const std::string file_;
  const std::string default_tenant_;
  const DocumentRules rules_;
  telemetry::ControlMetrics metrics_;
  control::Cache cache_;
  control::Follower follower_;
  std::unique_ptr<control::Registration> registration_;
  Events events_;
  control::CacheState told_state_ = control::CacheState::expired;
  std::map<std::string, std::string> told_problems_;
  std::set<std::string> told_troubles_;  // since the last connection
  loop::SideThread disk_;
  bool writing_ = false;
  bool write_again_ = false;
  bool disk_failed_ = false;
  Instant saved_proof_;
  std::unique_ptr<loop::TimerHandle> state_timer_;
  std::map<std::string, int64_t, std::less<>> heard_epochs_;  // above those that are known here
  std::vector<loop::Task> refreshing_;                        // who waits for it
  Instant refresh_began_;
  std::unique_ptr<loop::TimerHandle> refresh_timer_;
};

}  // namespace lattice::server
