#include "peer/codec_results.h"

#include <optional>
#include <utility>

#include "proto/kv.pb.h"

namespace lattice::peer {
namespace {

using keyspace::KvRef;
using replica::PeerAnswer;

void write_kv(const KvRef& kv, std::string* to) { to->assign(kv->encoded_view()); }

KvRef read_kv(const std::string& bytes) {
  mvccpb::KeyValue kv;
  if (!kv.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return {};
  keyspace::KvRecord::Fields fields;
  fields.key = kv.key();
  fields.value = kv.value();
  fields.create_revision = Revision(kv.create_revision());
  fields.mod_revision = Revision(kv.mod_revision());
  fields.version = kv.version();
  fields.lease = LeaseId(kv.lease());
  return keyspace::KvRecord::make(fields);
}

template <class Field>
bool read_kvs(const Field& from, std::vector<KvRef>* to) {
  to->reserve(static_cast<size_t>(from.size()));
  for (const std::string& bytes : from) {
    to->push_back(read_kv(bytes));
    if (!to->back()) return false;
  }
  return true;
}

void write(const keyspace::RangeResult& from, v1::RangeResult* to) {
  to->set_header_revision(from.header_revision.value);
  for (const KvRef& kv : from.kvs) write_kv(kv, to->add_kvs());
  to->set_keys_only(from.keys_only);
  to->set_keys_only_with_lease(from.keys_only_with_lease);
  to->set_more(from.more);
  to->set_count(from.count);
}

bool read(const v1::RangeResult& from, keyspace::RangeResult* to) {
  to->header_revision = lattice::Revision(from.header_revision());
  to->keys_only = from.keys_only();
  to->keys_only_with_lease = from.keys_only_with_lease();
  to->more = from.more();
  to->count = from.count();
  return read_kvs(from.kvs(), &to->kvs);
}

void write(const keyspace::PutResult& from, v1::PutResult* to) {
  to->set_header_revision(from.header_revision.value);
  if (from.prev) write_kv(from.prev, to->mutable_prev_kv());
}

bool read(const v1::PutResult& from, keyspace::PutResult* to) {
  to->header_revision = lattice::Revision(from.header_revision());
  if (!from.has_prev_kv()) return true;
  to->prev = read_kv(from.prev_kv());
  return bool(to->prev);
}

void write(const keyspace::DeleteRangeResult& from, v1::DeleteRangeResult* to) {
  to->set_header_revision(from.header_revision.value);
  to->set_deleted(from.deleted);
  for (const KvRef& kv : from.prevs) write_kv(kv, to->add_prev_kvs());
}

bool read(const v1::DeleteRangeResult& from, keyspace::DeleteRangeResult* to) {
  to->header_revision = lattice::Revision(from.header_revision());
  to->deleted = from.deleted();
  return read_kvs(from.prev_kvs(), &to->prevs);
}

void write(const keyspace::TxnResult& from, v1::TxnResult* to) {
  to->set_header_revision(from.header_revision.value);
  to->set_succeeded(from.succeeded);
  for (const keyspace::ResponseOp& response : from.responses) {
    v1::OperationResult* result = to->add_responses();
    std::visit(Overloaded{
                   [&](const keyspace::RangeResult& op) { write(op, result->mutable_range()); },
                   [&](const keyspace::PutResult& op) { write(op, result->mutable_put()); },
                   [&](const keyspace::DeleteRangeResult& op) {
                     write(op, result->mutable_delete_range());
                   },
                   [&](const std::unique_ptr<keyspace::TxnResult>& op) {
                     write(*op, result->mutable_txn());
                   },
               },
               response);
  }
}

bool read(const v1::TxnResult& from, keyspace::TxnResult* to);

template <class To, class From>
std::optional<keyspace::ResponseOp> read_op(const From& from) {
  To to;
  if (!read(from, &to)) return std::nullopt;
  return keyspace::ResponseOp(std::move(to));
}

std::optional<keyspace::ResponseOp> read_response(const v1::OperationResult& from) {
  switch (from.kind_case()) {
    case v1::OperationResult::kRange:
      return read_op<keyspace::RangeResult>(from.range());
    case v1::OperationResult::kPut:
      return read_op<keyspace::PutResult>(from.put());
    case v1::OperationResult::kDeleteRange:
      return read_op<keyspace::DeleteRangeResult>(from.delete_range());
    case v1::OperationResult::kTxn: {
      auto inner = std::make_unique<keyspace::TxnResult>();
      if (!read(from.txn(), inner.get())) return std::nullopt;
      return keyspace::ResponseOp(std::move(inner));
    }
    case v1::OperationResult::KIND_NOT_SET:
      break;
  }
  return std::nullopt;
}

bool read(const v1::TxnResult& from, keyspace::TxnResult* to) {
  to->header_revision = lattice::Revision(from.header_revision());
  to->succeeded = from.succeeded();
  for (const v1::OperationResult& response : from.responses()) {
    std::optional<keyspace::ResponseOp> op = read_response(response);
    if (!op) return false;
    to->responses.push_back(*std::move(op));
  }
  return true;
}

void write(const lease::LeaseInfo& from, v1::LeaseInfo* to) {
  to->set_id(from.id.value);
  to->set_granted_ttl_seconds(from.granted_ttl_seconds);
  to->set_remaining_seconds(from.remaining_seconds);
}

lease::LeaseInfo read(const v1::LeaseInfo& from) {
  return {lattice::LeaseId(from.id()), from.granted_ttl_seconds(), from.remaining_seconds()};
}

void write(const replica::LeaseTimeToLiveResult& from, v1::LeaseTimeToLiveResult* to) {
  to->set_header_revision(from.header_revision.value);
  to->set_found(from.found);
  write(from.info, to->mutable_info());
  for (const std::string& key : from.keys) to->add_keys(key);
}

replica::LeaseTimeToLiveResult read(const v1::LeaseTimeToLiveResult& from) {
  return {lattice::Revision(from.header_revision()),
          from.found(),
          read(from.info()),
          {from.keys().begin(), from.keys().end()}};
}

replica::LeaseLeasesResult read(const v1::LeaseLeasesResult& from) {
  replica::LeaseLeasesResult to{lattice::Revision(from.header_revision()), {}};
  for (const v1::LeaseInfo& info : from.leases()) to.leases.push_back(read(info));
  return to;
}

void write(const replica::AlarmResult& from, v1::AlarmResult* to) {
  to->set_header_revision(from.header_revision.value);
  for (const replica::Alarm& alarm : from.alarms) {
    v1::Alarm* added = to->add_alarms();
    added->set_member_id(alarm.member_id);
    added->set_type(alarm.type);
  }
}

replica::AlarmResult read(const v1::AlarmResult& from) {
  replica::AlarmResult to{lattice::Revision(from.header_revision()), {}};
  for (const v1::Alarm& alarm : from.alarms())
    to.alarms.push_back({alarm.member_id(), alarm.type()});
  return to;
}

void write_answer(const PeerAnswer& answer, v1::Answer* to) {
  std::visit(Overloaded{
                 [&](std::monostate) { to->mutable_nothing(); },
                 [&](const keyspace::PutResult& result) { write(result, to->mutable_put()); },
                 [&](const keyspace::DeleteRangeResult& result) {
                   write(result, to->mutable_delete_range());
                 },
                 [&](const keyspace::TxnResult& result) { write(result, to->mutable_txn()); },
                 [&](const lattice::Revision& result) {
                   to->mutable_revision()->set_revision(result.value);
                 },
                 [&](const replica::LeaseGrantResult& result) {
                   v1::LeaseGrantResult* grant = to->mutable_lease_grant();
                   grant->set_header_revision(result.header_revision.value);
                   grant->set_id(result.id.value);
                   grant->set_ttl_seconds(result.ttl_seconds);
                 },
                 [&](const replica::LeaseKeepAliveResult& result) {
                   v1::LeaseKeepAliveResult* renewal = to->mutable_lease_keep_alive();
                   renewal->set_header_revision(result.header_revision.value);
                   renewal->set_ttl_seconds(result.ttl_seconds);
                 },
                 [&](const replica::LeaseTimeToLiveResult& result) {
                   write(result, to->mutable_lease_time_to_live());
                 },
                 [&](const replica::LeaseLeasesResult& result) {
                   v1::LeaseLeasesResult* leases = to->mutable_lease_leases();
                   leases->set_header_revision(result.header_revision.value);
                   for (const lease::LeaseInfo& info : result.leases)
                     write(info, leases->add_leases());
                 },
                 [&](const replica::AlarmResult& result) { write(result, to->mutable_alarm()); },
             },
             answer);
}

template <class To, class From>
Result<PeerAnswer> read_result(const From& from) {
  To to;
  if (!read(from, &to)) return Error::internal;
  return PeerAnswer(std::move(to));
}

Result<PeerAnswer> read_answer(const v1::Answer& from) {
  switch (from.kind_case()) {
    case v1::Answer::kNothing:
      return PeerAnswer(std::monostate());
    case v1::Answer::kPut:
      return read_result<keyspace::PutResult>(from.put());
    case v1::Answer::kDeleteRange:
      return read_result<keyspace::DeleteRangeResult>(from.delete_range());
    case v1::Answer::kTxn:
      return read_result<keyspace::TxnResult>(from.txn());
    case v1::Answer::kRevision:
      return PeerAnswer(lattice::Revision(from.revision().revision()));
    case v1::Answer::kLeaseGrant:
      return PeerAnswer(replica::LeaseGrantResult{
          lattice::Revision(from.lease_grant().header_revision()),
          lattice::LeaseId(from.lease_grant().id()), from.lease_grant().ttl_seconds()});
    case v1::Answer::kLeaseKeepAlive:
      return PeerAnswer(replica::LeaseKeepAliveResult{
          lattice::Revision(from.lease_keep_alive().header_revision()),
          from.lease_keep_alive().ttl_seconds()});
    case v1::Answer::kLeaseTimeToLive:
      return PeerAnswer(read(from.lease_time_to_live()));
    case v1::Answer::kLeaseLeases:
      return PeerAnswer(read(from.lease_leases()));
    case v1::Answer::kAlarm:
      return PeerAnswer(read(from.alarm()));
    case v1::Answer::KIND_NOT_SET:
      break;
  }
  return Error::internal;
}

}  // namespace

void write_reply(const replica::PeerReply& reply, v1::Answer* to) {
  to->set_epoch(reply.epoch.value);
  set_bytes(reply.incarnation, to->mutable_incarnation());
  write_position(reply.position, to->mutable_position());
  if (reply.answer.ok()) return write_answer(*reply.answer, to);
  const Status status = reply.answer.status();
  to->mutable_failure()->set_code(code_of(status.error()));
  to->mutable_failure()->set_detail(status.detail());
}

replica::PeerReply read_reply(const v1::Answer& from) {
  replica::PeerReply reply;
  reply.epoch = Epoch(from.epoch());
  const bool headed = get_bytes(from.incarnation(), &reply.incarnation) &&
                      read_position(from.position(), &reply.position);
  if (!headed) {
    reply.answer = Error::internal;
  } else if (from.has_failure()) {
    const Error error = error_of(from.failure().code());
    // An answer that fails with "ok" is none.
    reply.answer = Status(error == Error::ok ? Error::internal : error, from.failure().detail());
  } else {
    reply.answer = read_answer(from);
  }
  return reply;
}

}  // namespace lattice::peer
