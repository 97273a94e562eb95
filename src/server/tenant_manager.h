// The tenants of this process: which there are, by the store's list; the ones in memory, loaded on
// first use and unloaded when idle; and the end of those that were removed. The default tenant is
// loaded for as long as the process lives. An idle tenant is a row here and its name: no replica,
// no timer, no connection.
//
// Thread: the owner's loop, which is the first worker's.
// Ownership: owns the loaded tenants. The store, links and workers outlive it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "control/cache.h"
#include "server/running_tenant.h"
#include "server/store.h"

namespace lattice::server {

class TenantManager {
 public:
  struct Parts {
    const config::Config& config;
    SharedTelemetry& telemetry;
    Store& store;
    NodeLinks& links;
    Workers& workers;
    replica::Options options;
    TenantLimits limits;  // of tenants that have none of their own
  };
  // `default_log`: of [tenants] default_tenant, which the store has just opened.
  TenantManager(Parts parts, OpenedLog default_log);

  // Reads what limits the default tenant has, loads it, makes those of [tenants] create, then
  // follows the list.
  void start();
  RunningTenant& default_tenant() { return *default_; }
  // Those in memory, the default tenant first.
  template <class Visit>
  void for_each_running(Visit visit) {
    visit(*default_);
    for (auto& [name, entry] : entries_) {
      if (entry.running != nullptr) visit(*entry.running);
    }
  }
  // Of tenants that have none of their own, from now on.
  void set_limits(const TenantLimits& limits);
  // The control plane's: limits, identities, and who is active, from now on. Not null.
  void set_documents(std::shared_ptr<const control::Documents> documents);
  // What no event announces; every few seconds.
  void upkeep();
  // Stops every replica; nothing is loaded any more.
  void stop(loop::Task done);

 private:
  struct Entry {
    backends::TenantRow row;
    bool listed = false;  // active, as far as is known
    std::unique_ptr<RunningTenant> running;
    bool closing = false;
    bool wanted = false;  // while it is closing
    std::unique_ptr<loop::TimerHandle> patience;
  };
  struct Doomed {
    Instant seen;
    bool swept = false;
  };

  // ---- The list ----
  void create_missing(size_t next);
  void look();
  void look_later();
  void take(const backends::TenantList& list);
  void publish_names();
  RunningTenant::Parts parts_of(std::string name, const backends::TenantLimitValues& own,
                                OpenedLog opened);
  SharedLimits limits_for(const std::string& name, backends::TenantLimitValues own) const;
  void apply_limits(Entry& entry);
  // ---- Loading ----
  void want(const std::string& name);
  void load(Entry& entry);
  void publish(const std::string& name, const RunningTenant* running);
  void refuse(const std::string& name, const Status& why);
  // ---- Unloading ----
  void unload_idle();
  void close(Entry& entry, bool now);
  void on_closed(const std::string& name, const Status& status);
  void sweep_doomed();
  void sweep(int64_t log_no);

  Worker& owner() { return *parts_.workers.front(); }
  Instant now() { return owner().loop().now(); }
  telemetry::Logger& log() { return parts_.telemetry.log; }

  const Parts parts_;
  const std::string default_name_;
  TenantLimits limits_;
  // On which the leadership of all tenants hangs; null where the logs are this process's alone.
  std::unique_ptr<replica::SessionKeeper> session_;
  std::shared_ptr<const control::Documents> documents_ = std::make_shared<control::Documents>();
  std::set<std::string, std::less<>> inactive_;  // as the control plane has it
  std::unique_ptr<RunningTenant> default_;
  std::map<std::string, Entry> entries_;  // all others
  std::map<int64_t, Doomed> doomed_;      // logs whose rows are to be deleted, by number
  int64_t version_ = -1;                  // of the list that was read last
  bool default_listed_ = true;
  backends::TenantLimitValues default_own_limits_;
  bool sweeping_ = false;
  bool stopping_ = false;
  Instant unloaded_at_;  // when idle ones were last looked for
  size_t stops_missing_ = 0;
  loop::Task on_stopped_;
  std::unique_ptr<loop::TimerHandle> look_timer_;
};

}  // namespace lattice::server
