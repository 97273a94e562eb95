// The names over all databases: where each tenant is, which requests for it are refused, and why.
// A tenant is where its data is: the lists of the databases decide, and a manifest that says
// something else closes the tenant, as do two databases that both claim a name
// (docs/decisions/0020).
//
// Thread: the owner's loop, which is the first worker's.
// Ownership: the workers outlive it; it outlives the databases that were added.
// Invariants: a name is served by one database at most.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backends/common/tenants.h"
#include "control/cache.h"
#include "server/shared_telemetry.h"
#include "server/worker.h"

namespace lattice::server {

using Workers = std::vector<std::unique_ptr<Worker>>;
using TenantNameSet = std::set<std::string, std::less<>>;

class TenantCatalog {
 public:
  class Database {
   public:
    virtual ~Database() = default;
    // What is not among them is served from here no more.
    virtual void keep_only(const TenantNameSet& names) = 0;
    // These are. Called behind keep_only() of all databases.
    virtual void serve(const TenantNameSet& names) = 0;
    // Of these, which others serve, somebody uses one here, and a copy is being made there.
    virtual void prepare(const TenantNameSet& names) = 0;
    // Requires: it serves it.
    virtual void want(const std::string& name) = 0;
    // Whether it has it in memory.
    virtual bool in_use(const std::string& name) const = 0;
  };
  TenantCatalog(Workers& workers, SharedTelemetry& telemetry);

  // A database that is not open yet: what is in no other one's list may be there.
  void expect(const std::string& backend);
  void add(const std::string& backend, Database& database);
  void set_list(const Database& database, std::vector<backends::TenantRow> rows);
  void set_documents(std::shared_ptr<const control::Documents> documents);

  // Somebody waits for it.
  void want(const std::string& name);
  // Those that wait for it get this answer.
  void refuse(const std::string& name, const Status& why);
  // Every other database's list was read.
  bool complete_but(const Database& database) const;
  bool knows(std::string_view name) const { return names_.contains(name); }
  // By its manifest.
  bool inactive(std::string_view name) const { return inactive_.contains(name); }
  void stop() {
    stopping_ = true;
    transit_timer_.reset();
  }

 private:
  struct Member {
    std::string backend;
    Database* database = nullptr;  // null: not open yet
    bool listed = false;
    std::vector<backends::TenantRow> rows;
  };
  // One database's claim to a name.
  struct Claim {
    Member* member = nullptr;
    const backends::TenantRow* row = nullptr;
  };
  struct Place {
    Member* member = nullptr;  // null: it is refused
    const backends::TenantRow* row = nullptr;
    Status refusal;
  };

  // What decide() finds out about all names.
  struct Decision {
    std::map<Member*, TenantNameSet> serving;
    std::map<Member*, TenantNameSet> preparing;
    std::map<std::string, Status, std::less<>> refused;
    TenantNameSet in_transit;
  };

  void decide();
  void decide(const std::string& name, const std::vector<Claim>& claims, Decision* decision);
  bool has_left(const std::vector<Claim>& claims) const;
  void settle_awaited(const TenantNameSet& in_transit);
  void await_lists();
  Place place_of(const std::string& name, const std::vector<Claim>& claims) const;
  Status manifest_objection(const std::string& name, const Place& place) const;
  void publish();
  void tell_refusals(std::map<std::string, Status, std::less<>> refused);
  bool is_stale_tombstone(const backends::TenantRow& row) const;

  Workers& workers_;
  SharedTelemetry& telemetry_;
  std::vector<std::unique_ptr<Member>> members_;
  std::shared_ptr<const control::Documents> documents_ = std::make_shared<control::Documents>();
  TenantNameSet inactive_;
  TenantNameSet names_;  // that any list has
  std::map<std::string, Member*, std::less<>> places_;
  std::map<std::string, Status, std::less<>> refused_;
  TenantNameSet awaited_;  // on their way between two databases, and somebody uses them
  std::unique_ptr<loop::TimerHandle> transit_timer_;
  bool stopping_ = false;
};

}  // namespace lattice::server
