#include "server/tenant_table.h"

#include <utility>

#include "base/planted.h"

namespace lattice::server {

TenantTable::TenantTable(const config::Tenants& config, loop::Loop& loop)
    : identity_(config),
      default_name_(config.default_tenant),
      loop_(loop),
      absence_(Error::backend_unavailable, "the server is starting") {}

void TenantTable::add(const std::string& name, std::unique_ptr<etcd::Tenant> tenant) {
  loaded_[name] = {std::move(tenant), loop_.now()};
  look_again(name, {});
}

void TenantTable::fail(const std::string& name, Status why) { look_again(name, std::move(why)); }

void TenantTable::look_again(const std::string& name, Status failure) {
  const auto found = wanted_.find(name);
  if (found == wanted_.end()) return;
  std::vector<absl::AnyInvocable<void()>> waiting = std::move(found->second.waiting);
  const bool failed = !failure.ok();
  if (failed) {
    found->second.failure = std::move(failure);
  } else {
    wanted_.erase(found);
  }
  for (auto& again : waiting) again();
  if (failed) wanted_.erase(name);
}

void TenantTable::set_limits(const std::string& name, const SharedLimits& limits) {
  const auto found = loaded_.find(name);
  if (found == loaded_.end()) return;
  found->second.tenant->gate.set_limits(limits);
  found->second.tenant->flow->set_limits(limits->weight, limits->connections_max);
}

bool TenantTable::idle_since(const std::string& name, Instant moment) const {
  const auto found = loaded_.find(name);
  return found == loaded_.end() ||
         (found->second.tenant->users == 0 && found->second.used < moment);
}

void TenantTable::retire(const std::string& name, absl::AnyInvocable<void()> gone) {
  const auto found = loaded_.find(name);
  if (found == loaded_.end() || found->second.tenant->users == 0) {
    if (found != loaded_.end()) loaded_.erase(found);
    return gone();
  }
  etcd::Tenant* tenant = found->second.tenant.get();
  retired_.push_back(std::move(found->second.tenant));
  loaded_.erase(found);
  auto shared = std::make_shared<absl::AnyInvocable<void()>>(std::move(gone));
  tenant->on_unused = [this, tenant, shared] {
    // Later, for this function is the tenant's.
    loop_.defer([this, tenant, shared] {
      std::erase_if(retired_, [tenant](const auto& each) { return each.get() == tenant; });
      (*shared)();
    });
  };
}

Result<etcd::Tenant*> TenantTable::find(const proxy::ServerStream& stream) {
  const Result<std::string_view> name = identity_.identify(stream);
  if (!name.ok()) return name.status();
  if (const auto found = loaded_.find(*name); found != loaded_.end()) {
    found->second.used = loop_.now();
    if (planted(Planted::any_tenant_answers)) return loaded_.begin()->second.tenant.get();
    return found->second.tenant.get();
  }
  if (names_ == nullptr) return absence_;
  if (!names_->contains(*name)) {
    if (!unsure_.ok()) return unsure_;
    return Status(Error::tenant_unknown, "tenant \"" + std::string(*name) + "\" is not known here");
  }
  if (const auto found = wanted_.find(*name);
      found != wanted_.end() && !found->second.failure.ok()) {
    return found->second.failure;
  }
  return nullptr;
}

void TenantTable::wait(const proxy::ServerStream& stream, absl::AnyInvocable<void()> again) {
  const Result<std::string_view> name = identity_.identify(stream);
  const auto [wanted, first] = wanted_.try_emplace(std::string(*name));
  wanted->second.waiting.push_back(std::move(again));
  if (first) load_(wanted->first);
}

Result<etcd::Tenant*> TenantTable::find_default() {
  const auto found = loaded_.find(default_name_);
  if (found == loaded_.end()) {
    return names_ == nullptr ? absence_
                             : Status(Error::tenant_unknown, "the default tenant was removed");
  }
  return found->second.tenant.get();
}

}  // namespace lattice::server
