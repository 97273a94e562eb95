// What changes something for a tenant, as replica::Api has it: each change is told to the audit
// log, if there is one, when its outcome is known, even if its call is over by then. Thread: the
// call's loop. Lives within one call of a function.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/callback.h"
#include "replica/api.h"
#include "telemetry/audit_log.h"

namespace lattice::etcd {

class ServiceCall;

class Changes {
 public:
  // `log`: null if nobody is told.
  Changes(ServiceCall& call, replica::Api& api, const auth::CallerRef& caller,
          telemetry::AuditLog* log)
      : call_(call), api_(api), caller_(caller), log_(log) {}

  void put(keyspace::PutRequest&& request, Callback<keyspace::PutResult>&& done) {
    if (log_ != nullptr && !tell(request, &done)) return;
    api_.put(std::move(request), std::move(done), caller_);
  }
  void delete_range(keyspace::DeleteRangeRequest&& request,
                    Callback<keyspace::DeleteRangeResult>&& done) {
    if (log_ != nullptr && !tell(request, &done)) return;
    api_.delete_range(std::move(request), std::move(done), caller_);
  }
  // One that only reads is no change.
  void txn(keyspace::TxnRequest&& request, Callback<keyspace::TxnResult>&& done) {
    if (log_ != nullptr && !tell(request, &done)) return;
    api_.txn(std::move(request), std::move(done), caller_);
  }
  void compact(Revision revision, bool physical, Callback<Revision>&& done);
  void lease_grant(LeaseId id, int64_t ttl_seconds, Callback<replica::LeaseGrantResult>&& done);
  void lease_revoke(LeaseId id, Callback<Revision>&& done);
  void auth_change(auth::Change&& change, Callback<Revision>&& done);
  void alarm(const replica::AlarmChange& change, Callback<replica::AlarmResult>&& done);
  void move_leader(const replica::Member& target, Callback<bool>&& done);
  void defragment(Callback<bool>&& done);

 private:
  // Each wraps `done`. False: the change may not go on, and `done` has been told.
  bool tell(const keyspace::PutRequest& request, Callback<keyspace::PutResult>* done);
  bool tell(const keyspace::DeleteRangeRequest& request,
            Callback<keyspace::DeleteRangeResult>* done);
  bool tell(const keyspace::TxnRequest& request, Callback<keyspace::TxnResult>* done);
  // `describe(line)` says what is asked for; `conclude(line, result)` what came of it, null if that
  // is an error, and answers whether it is worth a line.
  template <class Value, class Describe, class Conclude>
  bool tell_as(std::string_view op, Callback<Value>* done, Describe describe, Conclude conclude);

  ServiceCall& call_;
  replica::Api& api_;
  const auth::CallerRef& caller_;
  telemetry::AuditLog* const log_;
};

}  // namespace lattice::etcd
