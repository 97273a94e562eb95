#include "etcd/service_call.h"

#include "etcd/caller.h"
#include "etcd/utf8.h"

namespace lattice::etcd {

Status ServiceCall::admit(Kind kind) {
  std::string_view version;
  for (const auto& [name, value] : stream_.metadata()) {
    if (name == "client-api-version") version = value;
    if (name == "hasleader" && value == "true") has_leader_wanted_ = true;
  }
  if (!is_utf8(version)) return Error::invalid_client_api_version;
  if (services_.client_requests != nullptr) {
    services_.client_requests->count(kind == Kind::stream, version);
  }
  if (services_.leaving && !ends_by_itself()) return Error::stopped;
  return find_tenant();
}

Status ServiceCall::find_tenant() {
  Result<Tenant*> found = services_.tenants.find(stream_);
  if (!found.ok()) return found.status();
  if (*found == nullptr) return {};
  Tenant& tenant = **found;
  if (tenant.requests != nullptr) tenant.requests->add();
  if (has_leader_wanted_ && !tenant.api.has_leader()) return Error::no_leader;
  if (tenant.flow != nullptr && !stream_.belong_to(tenant.flow)) {
    return {Error::resource_exhausted, "lattice: the tenant's limit of connections is reached"};
  }
  tenant_.hold(tenant);
  identify();
  return {};
}

void ServiceCall::identify() { caller_ = caller_of(stream_, tenant(), services_); }

void ServiceCall::when_loaded(absl::AnyInvocable<void()> again) {
  services_.tenants.wait(stream_,
                         [self = anchor_.ref<ServiceCall>(), again = std::move(again)]() mutable {
                           ServiceCall* call = self.get();
                           if (call != nullptr && !call->ended_) again();
                         });
}

}  // namespace lattice::etcd
