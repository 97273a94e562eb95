// What the calls of all services share: the checks before anything else, whom the call concerns,
// and how a late answer finds the call or finds that it is over.
// Thread: the connection's loop.
// Ownership: the transport's (proxy/call.h).
#pragma once

#include <utility>

#include "etcd/call_ref.h"
#include "etcd/changes.h"
#include "etcd/decode.h"
#include "etcd/generated.h"
#include "etcd/services.h"
#include "proxy/call.h"

namespace lattice::etcd {

class ServiceCall : public proxy::Call {
 public:
  void describe(Instant since, Instant until, proxy::CallNotes* notes) const override;

 protected:
  enum class Kind : uint8_t { unary, stream };

  ServiceCall(Services& services, proxy::ServerStream& stream)
      : services_(services), stream_(stream), anchor_(this) {}

  // Both end the call: before the operation has begun, and because it has failed.
  virtual void reject(const Status& status) = 0;
  virtual void fail(const Status& status) { reject(status); }
  // Whether the call is one operation of the replica, so that what had no effect leaves nothing.
  virtual bool is_one_operation() const { return false; }
  // Whether the call could be begun again, as if nothing had happened.
  virtual bool may_begin_again() const { return false; }
  // Requires: may_begin_again().
  virtual void begin_again() {}
  // Whether a shutdown waits for the call's end instead of ending it.
  virtual bool ends_by_itself() const = 0;

  // The checks that precede every handler (etcd-v3.md 1.0); when they pass, the call is admitted,
  // or its tenant has to be loaded first: then when_loaded() says when to look again.
  // Errors: invalid_client_api_version, no_leader, and whatever the tenant table says.
  Status admit(Kind kind);
  // The last of them, once more.
  Status find_tenant();
  // Calls `again` later, unless the call has ended by then. Requires: not admitted, nor refused.
  void when_loaded(absl::AnyInvocable<void()> again);
  // Before find_tenant() is called again. Requires: admitted().
  void leave_tenant() { tenant_.release(); }

  // False if the call had ended before.
  bool mark_ended() { return !std::exchange(ended_, true); }
  bool ended() const { return ended_; }

  Services& services() { return services_; }
  proxy::ServerStream& stream() { return stream_; }
  bool admitted() const { return tenant_.get() != nullptr; }
  // Requires: admitted().
  Tenant& tenant() { return *tenant_.get(); }
  // The operation that answers the call now, as the replica timed it. Requires: admitted().
  replica::OperationTimes operation_times() const { return tenant_.get()->api.times(); }
  // Whom the call's credentials name; null: it has none. Requires: admitted().
  const auth::CallerRef& caller() const { return caller_; }
  // Of a call that lasts: its token may have ended meanwhile.
  void identify();
  // Whatever changes something goes through here. Requires: admitted().
  Changes changes() { return {*this, tenant().api, caller_, services_.audit}; }

  // What a refusal would say the call was about.
  void keep_request(const Bytes& message) {
    if (services_.audit != nullptr) request_ = message;
  }
  // The call ends like this: a refusal is told to the audit log, unless it has been already.
  void audit_end(const proxy::GrpcStatus& status) {
    if (services_.audit != nullptr) tell_end(status);
  }
  // The same for part of a call that lasts, which concerns this range.
  void audit_refusal(const proxy::GrpcStatus& status, const keyspace::KeyRange& range);
  void audit_login(std::string_view user);

  // Calls `then(call)` if the caller may have what only a user, or only root may have.
  template <class CallType, class Then>
  void require(auth::Query::Kind need, Then then) {
    auth::Query query;
    query.kind = need;
    query.serializable = true;
    tenant().api.auth_query(
        std::move(query),
        answer<CallType, auth::Answer>([then](CallType& call, const auth::Answer&) { then(call); }),
        caller());
  }

  // A callback for the Api: fails the call with an error or hands the value to `then(call, value)`.
  template <class CallType, class Value, class Then>
  auto answer(Then then) {
    return [self = anchor_.ref<ServiceCall>(), then](Result<Value> result) {
      ServiceCall* call = self.get();
      if (call == nullptr || call->ended_) return;
      if (!result.ok()) return call->on_error(result.status());
      then(static_cast<CallType&>(*call), *result);
    };
  }

  // False if the bytes are no such message; then the call is rejected.
  template <class Message>
  bool decode_into(std::string_view bytes, Message* message) {
    if (parse_message(bytes, message)) return true;
    reject(unmarshal_error());
    return false;
  }

 private:
  friend class Changes;
  void on_error(const Status& status);
  void tell_end(const proxy::GrpcStatus& status);

  Services& services_;
  proxy::ServerStream& stream_;
  TenantUse tenant_;
  auth::CallerRef caller_;
  bool has_leader_wanted_ = false;
  bool ended_ = false;
  bool audited_ = false;  // the audit log knows what the call is about to end with
  Bytes request_;         // for the audit log only
  CallAnchor anchor_;
};

template <class CallType>
proxy::CallFactory factory_of(Services& services) {
  return [&services](proxy::ServerStream& stream) -> std::unique_ptr<proxy::Call> {
    return std::make_unique<CallType>(services, stream);
  };
}

// Fills a generated ResponseHeader.
template <class HeaderMessage>
void fill_header(const Tenant& tenant, Revision revision, HeaderMessage* header) {
  header->set_cluster_id(tenant.identity.cluster_id());
  header->set_member_id(tenant.identity.member_id());
  header->set_revision(revision.value);
  header->set_raft_term(tenant.raft_term());
}

}  // namespace lattice::etcd
