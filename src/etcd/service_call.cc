#include "etcd/service_call.h"

#include "etcd/caller.h"
#include "etcd/utf8.h"

namespace lattice::etcd {

Status ServiceCall::admit(Kind kind) {
  bool has_leader_wanted = false;
  std::string_view version;
  for (const auto& [name, value] : stream_.metadata()) {
    if (name == "client-api-version") version = value;
    if (name == "hasleader" && value == "true") has_leader_wanted = true;
  }
  if (!is_utf8(version)) return Error::invalid_client_api_version;
  if (services_.client_requests != nullptr) {
    services_.client_requests->count(kind == Kind::stream, version);
  }
  if (services_.leaving && !ends_by_itself()) return Error::stopped;
  Result<Tenant*> tenant = services_.tenants.find(stream_);
  if (!tenant.ok()) return tenant.status();
  if (has_leader_wanted && !(*tenant)->api.has_leader()) return Error::no_leader;
  tenant_ = *tenant;
  identify();
  return {};
}

void ServiceCall::identify() { caller_ = caller_of(stream_, *tenant_, services_); }

}  // namespace lattice::etcd
