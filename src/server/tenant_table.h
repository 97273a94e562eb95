// The tenants as one loop sees them: which there are, and a handle of the loop's own to each that
// is loaded.
//
// Thread: its loop's; made on another before that runs.
// Ownership: owns the handles. An Api outlives its handle, whose end is told (retire()).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "base/string_hash.h"
#include "etcd/services.h"
#include "loop/loop.h"
#include "server/tenant_identity.h"

namespace lattice::server {

// The names of all tenants, shared by the loops.
using TenantNames = absl::flat_hash_set<std::string, StringHash, std::equal_to<>>;

class TenantTable final : public etcd::Tenants {
 public:
  TenantTable(const config::Tenants& config, loop::Loop& loop);

  // Called on this loop when a tenant is wanted that is not loaded: once, until add() or fail().
  void on_wanted(absl::AnyInvocable<void(const std::string& name)> load) {
    load_ = std::move(load);
  }
  // What is answered while the list of tenants is not known (yet).
  void set_absence(Status why) { absence_ = std::move(why); }
  // `unsure`: why there may be others; ok if there are none.
  void set_names(std::shared_ptr<const TenantNames> names, Status unsure) {
    names_ = std::move(names);
    unsure_ = std::move(unsure);
  }

  // The control plane's certificates.
  void set_certificates(std::shared_ptr<const CertificateTenants> governed) {
    identity_.use(std::move(governed));
  }

  // Whose a request is; see TenantIdentity.
  Result<std::string_view> identify(const proxy::ServerStream& stream) const {
    return identity_.identify(stream);
  }
  // Requires: not in the table.
  void add(const std::string& name, std::unique_ptr<etcd::Tenant> tenant);
  // Nothing if it is not in the table; what was taken out of it ends with the limits that it had.
  void set_limits(const std::string& name, const SharedLimits& limits);
  // The tenant cannot be loaded now; those that wait for it are answered by what find() says then.
  void fail(const std::string& name, Status why);
  // Not used since `moment`, nor in use.
  bool idle_since(const std::string& name, Instant moment) const;
  // Takes the tenant out of the table; `gone` is called once no call holds it any more: inside this
  // call if none does now.
  void retire(const std::string& name, absl::AnyInvocable<void()> gone);

  Result<etcd::Tenant*> find(const proxy::ServerStream& stream) override;
  void wait(const proxy::ServerStream& stream, absl::AnyInvocable<void()> again) override;
  Result<etcd::Tenant*> find_default() override;

 private:
  struct Entry {
    std::unique_ptr<etcd::Tenant> tenant;
    Instant used;
  };
  struct Wanted {
    std::vector<absl::AnyInvocable<void()>> waiting;
    Status failure;  // found by those that wait when they look again
  };
  void look_again(const std::string& name, Status failure);

  TenantIdentity identity_;
  const std::string default_name_;
  loop::Loop& loop_;
  absl::AnyInvocable<void(const std::string&)> load_;
  std::shared_ptr<const TenantNames> names_;  // null: not known yet
  absl::flat_hash_map<std::string, Entry, StringHash, std::equal_to<>> loaded_;
  absl::flat_hash_map<std::string, Wanted, StringHash, std::equal_to<>> wanted_;
  std::vector<std::unique_ptr<etcd::Tenant>> retired_;  // still held by calls
  Status absence_;
  Status unsure_;
};

}  // namespace lattice::server
