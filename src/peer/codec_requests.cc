#include "peer/codec_requests.h"

#include <utility>

namespace lattice::peer {
namespace {

namespace pb = etcdserverpb;

// Enums travel as the numbers that the client sent, known or not.
template <class To, class From>
To as_enum(From from) {
  return static_cast<To>(static_cast<int32_t>(from));
}

void write(keyspace::RangeRequest from, pb::RangeRequest* to) {
  to->set_key(std::move(from.range.key));
  to->set_range_end(std::move(from.range.end));
  to->set_limit(from.limit);
  to->set_revision(from.revision.value);
  to->set_sort_order(as_enum<pb::RangeRequest::SortOrder>(from.sort_order));
  to->set_sort_target(as_enum<pb::RangeRequest::SortTarget>(from.sort_target));
  to->set_serializable(from.serializable);
  to->set_keys_only(from.keys_only);
  to->set_count_only(from.count_only);
  to->set_min_mod_revision(from.min_mod_revision.value);
  to->set_max_mod_revision(from.max_mod_revision.value);
  to->set_min_create_revision(from.min_create_revision.value);
  to->set_max_create_revision(from.max_create_revision.value);
}

keyspace::RangeRequest read(pb::RangeRequest* from) {
  keyspace::RangeRequest to;
  to.range = {std::move(*from->mutable_key()), std::move(*from->mutable_range_end())};
  to.limit = from->limit();
  to.revision = Revision(from->revision());
  to.sort_order = as_enum<keyspace::SortOrder>(from->sort_order());
  to.sort_target = as_enum<keyspace::SortTarget>(from->sort_target());
  to.serializable = from->serializable();
  to.keys_only = from->keys_only();
  to.count_only = from->count_only();
  to.min_mod_revision = Revision(from->min_mod_revision());
  to.max_mod_revision = Revision(from->max_mod_revision());
  to.min_create_revision = Revision(from->min_create_revision());
  to.max_create_revision = Revision(from->max_create_revision());
  return to;
}

void write(keyspace::PutRequest from, pb::PutRequest* to) {
  to->set_key(std::move(from.key));
  to->set_value(std::move(from.value));
  to->set_lease(from.lease.value);
  to->set_prev_kv(from.prev_kv);
  to->set_ignore_value(from.ignore_value);
  to->set_ignore_lease(from.ignore_lease);
}

keyspace::PutRequest read(pb::PutRequest* from) {
  keyspace::PutRequest to;
  to.key = std::move(*from->mutable_key());
  to.value = std::move(*from->mutable_value());
  to.lease = LeaseId(from->lease());
  to.prev_kv = from->prev_kv();
  to.ignore_value = from->ignore_value();
  to.ignore_lease = from->ignore_lease();
  return to;
}

void write(keyspace::DeleteRangeRequest from, pb::DeleteRangeRequest* to) {
  to->set_key(std::move(from.range.key));
  to->set_range_end(std::move(from.range.end));
  to->set_prev_kv(from.prev_kv);
}

keyspace::DeleteRangeRequest read(pb::DeleteRangeRequest* from) {
  keyspace::DeleteRangeRequest to;
  to.range = {std::move(*from->mutable_key()), std::move(*from->mutable_range_end())};
  to.prev_kv = from->prev_kv();
  return to;
}

// An operand travels in its target's arm, as clients send it; one that is zero or empty means the
// same as none.
void write_operand(keyspace::Compare from, pb::Compare* to) {
  const bool by_value = from.target == keyspace::CompareTarget::value;
  if (by_value ? from.value.empty() : from.number == 0) return;
  switch (from.target) {
    case keyspace::CompareTarget::version:
      return to->set_version(from.number);
    case keyspace::CompareTarget::create:
      return to->set_create_revision(from.number);
    case keyspace::CompareTarget::mod:
      return to->set_mod_revision(from.number);
    case keyspace::CompareTarget::value:
      return to->set_value(std::move(from.value));
    case keyspace::CompareTarget::lease:
      return to->set_lease(from.number);
  }
}

void read_operand(pb::Compare* from, keyspace::Compare* to) {
  switch (to->target) {
    case keyspace::CompareTarget::version:
      to->number = from->version();
      return;
    case keyspace::CompareTarget::create:
      to->number = from->create_revision();
      return;
    case keyspace::CompareTarget::mod:
      to->number = from->mod_revision();
      return;
    case keyspace::CompareTarget::value:
      if (from->has_value()) to->value = std::move(*from->mutable_value());
      return;
    case keyspace::CompareTarget::lease:
      to->number = from->lease();
      return;
  }
}

void write(keyspace::Compare from, pb::Compare* to) {
  to->set_result(as_enum<pb::Compare::CompareResult>(from.result));
  to->set_target(as_enum<pb::Compare::CompareTarget>(from.target));
  to->set_key(std::move(from.range.key));
  to->set_range_end(std::move(from.range.end));
  write_operand(std::move(from), to);
}

keyspace::Compare read(pb::Compare* from) {
  keyspace::Compare to;
  to.result = as_enum<keyspace::CompareResult>(from->result());
  to.target = as_enum<keyspace::CompareTarget>(from->target());
  to.range = {std::move(*from->mutable_key()), std::move(*from->mutable_range_end())};
  read_operand(from, &to);
  return to;
}

void write(keyspace::TxnRequest from, pb::TxnRequest* to);
keyspace::TxnRequest read(pb::TxnRequest* from);

void write(keyspace::RequestOp from, pb::RequestOp* to) {
  std::visit(
      Overloaded{
          [](std::monostate) {},
          [&](keyspace::RangeRequest& op) { write(std::move(op), to->mutable_request_range()); },
          [&](keyspace::PutRequest& op) { write(std::move(op), to->mutable_request_put()); },
          [&](keyspace::DeleteRangeRequest& op) {
            write(std::move(op), to->mutable_request_delete_range());
          },
          [&](std::unique_ptr<keyspace::TxnRequest>& op) {
            write(std::move(*op), to->mutable_request_txn());
          }},
      from);
}

keyspace::RequestOp read(pb::RequestOp* from) {
  switch (from->request_case()) {
    case pb::RequestOp::kRequestRange:
      return read(from->mutable_request_range());
    case pb::RequestOp::kRequestPut:
      return read(from->mutable_request_put());
    case pb::RequestOp::kRequestDeleteRange:
      return read(from->mutable_request_delete_range());
    case pb::RequestOp::kRequestTxn:
      return std::make_unique<keyspace::TxnRequest>(read(from->mutable_request_txn()));
    case pb::RequestOp::REQUEST_NOT_SET:
      break;
  }
  return std::monostate();
}

void write(keyspace::TxnRequest from, pb::TxnRequest* to) {
  for (auto& compare : from.compares) write(std::move(compare), to->add_compare());
  for (auto& op : from.success) write(std::move(op), to->add_success());
  for (auto& op : from.failure) write(std::move(op), to->add_failure());
}

keyspace::TxnRequest read(pb::TxnRequest* from) {
  keyspace::TxnRequest to;
  for (auto& compare : *from->mutable_compare()) to.compares.push_back(read(&compare));
  for (auto& op : *from->mutable_success()) to.success.push_back(read(&op));
  for (auto& op : *from->mutable_failure()) to.failure.push_back(read(&op));
  return to;
}

void write(auth::ApiToken from, v1::ApiToken* to) {
  to->set_hash(std::move(from.hash));
  to->set_user(std::move(from.user));
  to->set_comment(std::move(from.comment));
  for (std::string& role : from.roles) to->add_roles(std::move(role));
  to->set_read_only(from.read_only);
  to->set_created_seconds(from.created_seconds);
  to->set_expires_seconds(from.expires_seconds);
}

auth::ApiToken read(v1::ApiToken* from) {
  auth::ApiToken to;
  to.hash = std::move(*from->mutable_hash());
  to.user = std::move(*from->mutable_user());
  to.comment = std::move(*from->mutable_comment());
  for (std::string& role : *from->mutable_roles()) to.roles.push_back(std::move(role));
  to.read_only = from->read_only();
  to.created_seconds = from->created_seconds();
  to.expires_seconds = from->expires_seconds();
  return to;
}

void write(auth::Change from, v1::AuthChange* to) {
  to->set_kind(static_cast<uint32_t>(from.kind));
  to->set_user(std::move(from.user));
  to->set_role(std::move(from.role));
  to->set_password_hash(std::move(from.password_hash));
  to->set_no_password(from.no_password);
  to->set_has_permission(from.has_permission);
  to->set_permission_type(static_cast<int32_t>(from.permission.type));
  to->set_key(std::move(from.permission.key));
  to->set_range_end(std::move(from.permission.end));
  if (from.kind == auth::Change::Kind::token_create) {
    write(std::move(from.token), to->mutable_token());
  }
  to->set_token_id(std::move(from.token_id));
}

auth::Change read(v1::AuthChange* from) {
  auth::Change to;
  // A kind that this version does not know is none.
  if (from->kind() <= static_cast<uint32_t>(auth::Change::last_kind)) {
    to.kind = static_cast<auth::Change::Kind>(from->kind());
  }
  to.user = std::move(*from->mutable_user());
  to.role = std::move(*from->mutable_role());
  to.password_hash = std::move(*from->mutable_password_hash());
  to.no_password = from->no_password();
  to.has_permission = from->has_permission();
  to.permission = {static_cast<auth::PermissionType>(from->permission_type()),
                   std::move(*from->mutable_key()), std::move(*from->mutable_range_end())};
  to.token = read(from->mutable_token());
  to.token_id = std::move(*from->mutable_token_id());
  return to;
}

void write(const auth::Caller& from, v1::Caller* to) {
  to->set_kind(static_cast<uint32_t>(from.kind));
  to->set_user(from.user);
  to->set_revision(from.revision);
  to->set_realm(from.realm);
  to->set_token_hash(from.token_hash);
  to->set_seen_seconds(from.seen_seconds);
}

auth::CallerRef read(v1::Caller* from) {
  auth::Caller to;
  if (from->kind() <= static_cast<uint32_t>(auth::Caller::last_kind)) {
    to.kind = static_cast<auth::Caller::Kind>(from->kind());
  }
  to.user = std::move(*from->mutable_user());
  to.revision = from->revision();
  to.realm = std::move(*from->mutable_realm());
  to.token_hash = std::move(*from->mutable_token_hash());
  to.seen_seconds = from->seen_seconds();
  return std::make_shared<const auth::Caller>(std::move(to));
}

Result<replica::PeerCall> read_kind(v1::Call* from) {
  using replica::PeerCall;
  switch (from->kind_case()) {
    case v1::Call::kPosition:
      return PeerCall(replica::PositionCall());
    case v1::Call::kPut:
      return PeerCall(read(from->mutable_put()));
    case v1::Call::kDeleteRange:
      return PeerCall(read(from->mutable_delete_range()));
    case v1::Call::kTxn:
      return PeerCall(read(from->mutable_txn()));
    case v1::Call::kCompact:
      return PeerCall(replica::CompactCall{Revision(from->compact().revision())});
    case v1::Call::kLeaseGrant:
      return PeerCall(
          replica::LeaseGrantCall{LeaseId(from->lease_grant().id()), from->lease_grant().ttl()});
    case v1::Call::kLeaseRevoke:
      return PeerCall(replica::LeaseRevokeCall{LeaseId(from->lease_revoke().id())});
    case v1::Call::kLeaseKeepAlive:
      return PeerCall(replica::LeaseKeepAliveCall{LeaseId(from->lease_keep_alive().id())});
    case v1::Call::kLeaseTimeToLive:
      return PeerCall(replica::LeaseTimeToLiveCall{LeaseId(from->lease_time_to_live().id()),
                                                   from->lease_time_to_live().keys()});
    case v1::Call::kLeaseLeases:
      return PeerCall(replica::LeaseLeasesCall());
    case v1::Call::kTakeOver: {
      replica::TakeOverCall call;
      if (!read_position(from->take_over(), &call.tip)) return Error::invalid_argument;
      return PeerCall(call);
    }
    case v1::Call::kWitness: {
      replica::WitnessCall call;
      if (!read_position(from->witness().position(), &call.position)) {
        return Error::invalid_argument;
      }
      call.revision = Revision(from->witness().revision());
      return PeerCall(call);
    }
    case v1::Call::kAlarm:
      return PeerCall(
          replica::AlarmCall{{from->alarm().raise(),
                              {from->alarm().alarm().member_id(), from->alarm().alarm().type()}}});
    case v1::Call::kAuthChange:
      return PeerCall(read(from->mutable_auth_change()));
    case v1::Call::KIND_NOT_SET:
      break;
  }
  return Status(Error::unimplemented, "a call that this version of Lattice does not know");
}

}  // namespace

void write_request(replica::PeerRequest request, v1::Call* to) {
  to->set_patience_ns(static_cast<uint64_t>(std::max<int64_t>(request.patience.count(), 0)));
  if (request.caller != nullptr) write(*request.caller, to->mutable_caller());
  std::visit(
      Overloaded{
          [&](replica::PositionCall&) { to->mutable_position(); },
          [&](keyspace::PutRequest& call) { write(std::move(call), to->mutable_put()); },
          [&](keyspace::DeleteRangeRequest& call) {
            write(std::move(call), to->mutable_delete_range());
          },
          [&](keyspace::TxnRequest& call) { write(std::move(call), to->mutable_txn()); },
          [&](replica::CompactCall& call) {
            to->mutable_compact()->set_revision(call.revision.value);
          },
          [&](replica::LeaseGrantCall& call) {
            to->mutable_lease_grant()->set_id(call.id.value);
            to->mutable_lease_grant()->set_ttl(call.ttl_seconds);
          },
          [&](replica::LeaseRevokeCall& call) {
            to->mutable_lease_revoke()->set_id(call.id.value);
          },
          [&](replica::LeaseKeepAliveCall& call) {
            to->mutable_lease_keep_alive()->set_id(call.id.value);
          },
          [&](replica::LeaseTimeToLiveCall& call) {
            to->mutable_lease_time_to_live()->set_id(call.id.value);
            to->mutable_lease_time_to_live()->set_keys(call.keys);
          },
          [&](replica::LeaseLeasesCall&) { to->mutable_lease_leases(); },
          [&](replica::TakeOverCall& call) { write_position(call.tip, to->mutable_take_over()); },
          [&](replica::WitnessCall& call) {
            write_position(call.position, to->mutable_witness()->mutable_position());
            to->mutable_witness()->set_revision(call.revision.value);
          },
          [&](replica::AlarmCall& call) {
            v1::AlarmChange* change = to->mutable_alarm();
            change->set_raise(call.change.raise);
            change->mutable_alarm()->set_member_id(call.change.alarm.member_id);
            change->mutable_alarm()->set_type(call.change.alarm.type);
          },
          [&](auth::Change& call) { write(std::move(call), to->mutable_auth_change()); },
      },
      request.call);
}

Result<replica::PeerRequest> read_request(v1::Call* from) {
  Result<replica::PeerCall> call = read_kind(from);
  if (!call.ok()) return call.status();
  const uint64_t patience = std::min<uint64_t>(from->patience_ns(), INT64_MAX / 2);
  auth::CallerRef caller = from->has_caller() ? read(from->mutable_caller()) : nullptr;
  return replica::PeerRequest{std::move(*call), Duration(static_cast<int64_t>(patience)),
                              std::move(caller)};
}

}  // namespace lattice::peer
