// The tenants of one database in this process: which there are, by the store's list; the ones in
// memory, loaded on first use and unloaded when idle; those on their way to another database; and
// the end of those that were removed. Which of them are served from here the catalog of all names
// decides. The default tenant is loaded for as long as the process lives. An idle tenant is a row
// here and its name: no replica, no timer, no connection.
//
// Thread: the owner's loop, which is the first worker's.
// Ownership: owns the loaded tenants. The store, links, workers and catalog outlive it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "control/cache.h"
#include "server/running_tenant.h"
#include "server/store.h"
#include "server/tenant_catalog.h"

namespace lattice::server {

class TenantManager final : public TenantCatalog::Database {
 public:
  struct Parts {
    const config::Config& config;
    SharedTelemetry& telemetry;
    Store& store;
    NodeLinks& links;
    Workers& workers;
    TenantCatalog& catalog;
    replica::Options options;
    TenantLimits limits;  // of tenants that have none of their own
  };
  // `default_log`: of [tenants] default_tenant, which the store has just opened; none in a database
  // that is not [backend].
  TenantManager(Parts parts, std::optional<OpenedLog> default_log);
  ~TenantManager() override;

  // Reads what limits the default tenant has, loads it, makes those of [tenants] create, then
  // follows the list.
  void start();
  // Requires: it was made with one.
  RunningTenant& default_tenant() { return *default_; }
  // Of tenants that have none of their own, from now on.
  void set_limits(const TenantLimits& limits);
  // The control plane's limits, from now on. Not null.
  void set_documents(std::shared_ptr<const control::Documents> documents);
  // Those in memory that are not on their way out of it.
  template <class Visit>
  void each_running(Visit visit) {
    if (stopping_) return;
    if (default_ != nullptr) visit(*default_);
    for (auto& [name, entry] : entries_) {
      if (entry.running != nullptr && !entry.closing) visit(*entry.running);
    }
  }
  // What no event announces; every few seconds.
  void upkeep();
  // Stops every replica; nothing is loaded any more.
  void stop(loop::Task done);

  // ---- TenantCatalog::Database ----
  void keep_only(const TenantNameSet& names) override;
  void serve(const TenantNameSet& names) override;
  void prepare(const TenantNameSet& names) override;
  void want(const std::string& name) override;
  bool in_use(const std::string& name) const override;

 private:
  struct Entry {
    backends::TenantRow row;
    bool listed = false;     // served from here, as far as is known
    bool preparing = false;  // a copy that is loaded to be served soon
    std::unique_ptr<RunningTenant> running;
    bool closing = false;
    bool wanted = false;  // while it is closing, or between two databases
    std::unique_ptr<loop::TimerHandle> patience;
    std::unique_ptr<loop::TimerHandle> seal_timer;  // set: it is being sealed
    std::unique_ptr<loop::TimerHandle> hold_timer;  // of those that wait meanwhile
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
  void take_default(const backends::TenantRow& row);
  void take_row(Entry& entry, const backends::TenantRow& row);
  void retire_default();
  RunningTenant::Parts parts_of(std::string name, const backends::TenantLimitValues& own,
                                OpenedLog opened);
  SharedLimits limits_for(const std::string& name, backends::TenantLimitValues own) const;
  void apply_limits(Entry& entry);
  void apply_default_limits();
  // ---- Loading ----
  void load(Entry& entry);
  void publish(const std::string& name, const RunningTenant* running);
  // ---- Moving (tenant_moving.cc) ----
  void seal_later(Entry& entry, Duration delay);
  void seal(const std::string& name);
  void hold(Entry& entry);
  void open(Entry& entry);
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
  const std::string default_name_;  // empty: there is none here
  TenantLimits limits_;
  // On which the leadership of all tenants hangs; null where the logs are this process's alone.
  std::unique_ptr<replica::SessionKeeper> session_;
  std::shared_ptr<const control::Documents> documents_ = std::make_shared<control::Documents>();
  std::unique_ptr<RunningTenant> default_;                        // null: likewise
  std::map<std::string, Entry> entries_;                          // all others
  std::map<std::string, backends::TenantRow, std::less<>> rows_;  // of the newest list
  std::map<int64_t, Doomed> doomed_;  // logs whose rows are to be deleted, by number
  int64_t version_ = -1;              // of the list that was read last
  bool default_listed_ = true;
  bool create_later_ = false;  // some of [tenants] create may be elsewhere
  bool on_the_move_ = false;   // the list has tenants that are
  backends::TenantLimitValues default_own_limits_;
  bool sweeping_ = false;
  bool stopping_ = false;
  Instant unloaded_at_;  // when idle ones were last looked for
  size_t stops_missing_ = 0;
  loop::Task on_stopped_;
  std::unique_ptr<loop::TimerHandle> look_timer_;
};

}  // namespace lattice::server
