#include "etcd/service_call.h"

#include "etcd/audit.h"
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
  if (services_.leaving && !ends_by_itself()) {
    stream_.decline();
    return Error::stopped;
  }
  return find_tenant();
}

Status ServiceCall::find_tenant() {
  Result<Tenant*> found = services_.tenants.find(stream_);
  if (!found.ok()) {
    stream_.decline();
    return found.status();
  }
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

// `unsent`: the tenant's handle is over, and the operation had no effect (Replica::stop).
void ServiceCall::on_error(const Status& status) {
  if (status.error() != Error::unsent) return fail(status);
  if (may_begin_again()) return begin_again();
  if (is_one_operation()) stream_.decline();
  fail(Error::stopped);
}

void ServiceCall::identify() { caller_ = caller_of(stream_, tenant(), services_); }

void ServiceCall::describe(Instant, Instant, proxy::CallNotes* notes) const {
  if (admitted()) notes->tenant = tenant_.get()->name;
}

void ServiceCall::tell_end(const proxy::GrpcStatus& status) {
  if (audited_ || !is_refusal(status)) return;
  std::optional<AuditLine> line = services_.audit->begin_refusal();
  if (!line) return;
  describe_call(stream_, tenant_.get(), caller_, &*line);
  describe_message(stream_.method(), request_, &*line);
  describe_end(status, "refused", &*line);
  services_.audit->write_refusal(std::move(*line));
}

void ServiceCall::audit_refusal(const proxy::GrpcStatus& status, const keyspace::KeyRange& range) {
  std::optional<AuditLine> line = services_.audit->begin_refusal();
  if (!line) return;
  describe_call(stream_, tenant_.get(), caller_, &*line);
  etcd::describe(range, &*line);
  describe_end(status, "refused", &*line);
  services_.audit->write_refusal(std::move(*line));
}

void ServiceCall::audit_login(std::string_view user) {
  if (services_.audit == nullptr) return;
  AuditLine line = services_.audit->begin("login");
  describe_call(stream_, tenant_.get(), caller_, &line);
  line.text("target_user", user);
  describe_end({}, "ok", &line);
  services_.audit->write(std::move(line));
}

void ServiceCall::when_loaded(absl::AnyInvocable<void()> again) {
  services_.tenants.wait(stream_,
                         [self = anchor_.ref<ServiceCall>(), again = std::move(again)]() mutable {
                           ServiceCall* call = self.get();
                           if (call != nullptr && !call->ended_) again();
                         });
}

}  // namespace lattice::etcd
