#include "etcd/changes.h"

#include <memory>

#include "etcd/audit.h"
#include "etcd/audit_txn.h"
#include "etcd/error_table.h"
#include "etcd/service_call.h"
#include "keyspace/keyspace.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd {
namespace {

using telemetry::AuditLog;

// A change under way, which gets its line whatever becomes of it.
class Draft {
 public:
  Draft(AuditLog& log, AuditLine line, Instant began)
      : log_(&log), line_(std::move(line)), began_(began) {}
  Draft(Draft&& other) noexcept
      : log_(std::exchange(other.log_, nullptr)),
        line_(std::move(other.line_)),
        began_(other.began_) {}
  Draft& operator=(Draft&&) = delete;
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  // Nobody has learnt how it went: the process ends.
  ~Draft() {
    if (log_ == nullptr) return;
    line_.text("outcome", "unknown");
    log_->write(std::move(line_));
  }

  AuditLine& line() { return line_; }
  void drop() { log_ = nullptr; }
  void end(const Status& status, Instant now) {
    const proxy::GrpcStatus answer = status.ok() ? proxy::GrpcStatus() : to_grpc(status);
    describe_end(answer, outcome(answer), &line_);
    line_.milliseconds("took_ms", now - began_);
    std::exchange(log_, nullptr)->write(std::move(line_));
  }

 private:
  static std::string_view outcome(const proxy::GrpcStatus& answer) {
    if (answer.code == proxy::GrpcCode::ok) return "ok";
    if (is_refusal(answer)) return "refused";
    // What is answered with one of these may have landed (replica/api.h).
    const bool open = answer.code == proxy::GrpcCode::unavailable ||
                      answer.code == proxy::GrpcCode::canceled ||
                      answer.code == proxy::GrpcCode::deadline_exceeded;
    return open ? "unknown" : "failed";
  }

  AuditLog* log_;  // null: the line was written, or needs not be
  AuditLine line_;
  Instant began_;
};

// What most results are told by.
constexpr auto no_result = [](AuditLine&, const auto*) { return true; };
constexpr auto tell_revision = [](AuditLine& line, const Revision* revision) {
  if (revision != nullptr) line.revision(*revision);
  return true;
};

StatusCallback as_status(Callback<bool> done) {
  return [done = std::move(done)](Status status) mutable {
    status.ok() ? done(true) : done(std::move(status));
  };
}

}  // namespace

template <class Value, class Describe, class Conclude>
bool Changes::tell_as(std::string_view op, Callback<Value>* done, Describe describe,
                      Conclude conclude) {
  if (!log_->has_room()) {
    (*done)(Status(Error::io, "the audit log takes no more lines"));
    return false;
  }
  replica::Environment& environment = call_.services_.environment;
  Draft draft(*log_, log_->begin("change"), environment.now());
  describe_call(call_.stream_, call_.tenant_.get(), caller_, &draft.line());
  draft.line().text("op", op);
  describe(draft.line());
  *done = [draft = std::move(draft), conclude = std::move(conclude),
           call = call_.anchor_.ref<ServiceCall>(), &environment,
           then = std::move(*done)](Result<Value> result) mutable {
    const bool goes_on =
        result.error() == Error::unsent && call.get() != nullptr && call.get()->may_begin_again();
    if (!goes_on && conclude(draft.line(), result.ok() ? &*result : nullptr)) {
      draft.end(result.status(), environment.now());
      if (call.get() != nullptr && !result.ok()) call.get()->audited_ = true;
    } else {
      draft.drop();
    }
    then(std::move(result));
  };
  return true;
}

bool Changes::tell(const keyspace::PutRequest& request, Callback<keyspace::PutResult>* done) {
  return tell_as(
      "put", done,
      [&](AuditLine& line) {
        line.text("key", request.key);
        if (request.lease.value != 0) line.lease(request.lease);
      },
      [](AuditLine& line, const keyspace::PutResult* result) {
        if (result != nullptr) line.revision(result->header_revision);
        return true;
      });
}

bool Changes::tell(const keyspace::DeleteRangeRequest& request,
                   Callback<keyspace::DeleteRangeResult>* done) {
  return tell_as(
      "delete", done, [&](AuditLine& line) { etcd::describe(request.range, &line); },
      [](AuditLine& line, const keyspace::DeleteRangeResult* result) {
        if (result != nullptr) line.revision(result->header_revision);
        if (result != nullptr) line.number("deleted", result->deleted);
        return true;
      });
}

bool Changes::tell(const keyspace::TxnRequest& request, Callback<keyspace::TxnResult>* done) {
  if (keyspace::is_read_only(request)) return true;
  return tell_as(
      "txn", done, [](AuditLine&) {},
      [notes = TxnNotes(request)](AuditLine& line, const keyspace::TxnResult* result) {
        if (result != nullptr) line.revision(result->header_revision);
        return notes.describe(result, &line);
      });
}

void Changes::compact(Revision revision, bool physical, Callback<Revision>&& done) {
  const auto describe = [&](AuditLine& line) { line.number("compact_revision", revision.value); };
  if (log_ != nullptr && !tell_as("compact", &done, describe, tell_revision)) return;
  api_.compact(revision, physical, std::move(done), caller_);
}

void Changes::lease_grant(LeaseId id, int64_t ttl_seconds,
                          Callback<replica::LeaseGrantResult>&& done) {
  const auto describe = [&](AuditLine& line) { line.number("asked_ttl", ttl_seconds); };
  const auto conclude = [id](AuditLine& line, const replica::LeaseGrantResult* result) {
    if (result == nullptr) {
      if (id.value != 0) line.lease(id);
      return true;
    }
    line.lease(result->id).number("ttl", result->ttl_seconds).revision(result->header_revision);
    return true;
  };
  if (log_ != nullptr && !tell_as("lease_grant", &done, describe, conclude)) return;
  api_.lease_grant(id, ttl_seconds, std::move(done), caller_);
}

void Changes::lease_revoke(LeaseId id, Callback<Revision>&& done) {
  const auto describe = [&](AuditLine& line) { line.lease(id); };
  if (log_ != nullptr && !tell_as("lease_revoke", &done, describe, tell_revision)) return;
  api_.lease_revoke(id, std::move(done), caller_);
}

void Changes::auth_change(auth::Change&& change, Callback<Revision>&& done) {
  const auto describe = [&](AuditLine& line) { etcd::describe(change, &line); };
  if (log_ != nullptr && !tell_as(name_of(change.kind), &done, describe, tell_revision)) return;
  api_.auth_change(std::move(change), std::move(done), caller_);
}

void Changes::alarm(const replica::AlarmChange& change, Callback<replica::AlarmResult>&& done) {
  const auto describe = [&](AuditLine& line) {
    line.text("alarm", etcdserverpb::AlarmType_Name(
                           static_cast<etcdserverpb::AlarmType>(change.alarm.type)));
    line.id("member", change.alarm.member_id);
  };
  const auto conclude = [](AuditLine& line, const replica::AlarmResult* result) {
    if (result != nullptr) line.revision(result->header_revision);
    return true;
  };
  const std::string_view op = change.raise ? "alarm_raise" : "alarm_clear";
  if (log_ != nullptr && !tell_as(op, &done, describe, conclude)) return;
  api_.alarm(change, std::move(done), caller_);
}

void Changes::move_leader(const replica::Member& target, Callback<bool>&& done) {
  const auto describe = [&](AuditLine& line) { line.text("target", target.node.name); };
  if (log_ != nullptr && !tell_as("move_leader", &done, describe, no_result)) return;
  api_.move_leader(target.node.address, as_status(std::move(done)));
}

void Changes::defragment(Callback<bool>&& done) {
  if (log_ != nullptr && !tell_as(
                             "defragment", &done, [](AuditLine&) {}, no_result))
    return;
  api_.defragment(as_status(std::move(done)));
}

}  // namespace lattice::etcd
