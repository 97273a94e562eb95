// The plain requests as generated messages, so that a decoder's result can be compared with what
// the generated classes parsed. Shared by the decoder tests and the fuzz targets.
#pragma once

#include "keyspace/requests.h"
#include "proto/rpc.pb.h"

namespace lattice::etcd::testing {

inline void to_message(const keyspace::RangeRequest& request, etcdserverpb::RangeRequest* out) {
  out->set_key(request.range.key);
  out->set_range_end(request.range.end);
  out->set_limit(request.limit);
  out->set_revision(request.revision.value);
  out->set_sort_order(static_cast<etcdserverpb::RangeRequest::SortOrder>(request.sort_order));
  out->set_sort_target(static_cast<etcdserverpb::RangeRequest::SortTarget>(request.sort_target));
  out->set_serializable(request.serializable);
  out->set_keys_only(request.keys_only);
  out->set_count_only(request.count_only);
  out->set_min_mod_revision(request.min_mod_revision.value);
  out->set_max_mod_revision(request.max_mod_revision.value);
  out->set_min_create_revision(request.min_create_revision.value);
  out->set_max_create_revision(request.max_create_revision.value);
}

inline void to_message(const keyspace::PutRequest& request, etcdserverpb::PutRequest* out) {
  out->set_key(request.key);
  out->set_value(request.value);
  out->set_lease(request.lease.value);
  out->set_prev_kv(request.prev_kv);
  out->set_ignore_value(request.ignore_value);
  out->set_ignore_lease(request.ignore_lease);
}

inline void to_message(const keyspace::DeleteRangeRequest& request,
                       etcdserverpb::DeleteRangeRequest* out) {
  out->set_key(request.range.key);
  out->set_range_end(request.range.end);
  out->set_prev_kv(request.prev_kv);
}

// The operand always goes into the arm that belongs to the target.
inline void to_message(const keyspace::Compare& compare, etcdserverpb::Compare* out) {
  out->set_result(static_cast<etcdserverpb::Compare::CompareResult>(compare.result));
  out->set_target(static_cast<etcdserverpb::Compare::CompareTarget>(compare.target));
  out->set_key(compare.range.key);
  out->set_range_end(compare.range.end);
  switch (compare.target) {
    case keyspace::CompareTarget::version:
      out->set_version(compare.number);
      break;
    case keyspace::CompareTarget::create:
      out->set_create_revision(compare.number);
      break;
    case keyspace::CompareTarget::mod:
      out->set_mod_revision(compare.number);
      break;
    case keyspace::CompareTarget::value:
      out->set_value(compare.value);
      break;
    case keyspace::CompareTarget::lease:
      out->set_lease(compare.number);
      break;
  }
}

// What a decoder may do to a generated message without changing its meaning: an operand in a
// foreign arm counts as absent.
inline void settle_operand(etcdserverpb::Compare* compare) {
  keyspace::Compare plain;
  using Arm = etcdserverpb::Compare;
  auto arm = compare->target_union_case();
  switch (compare->target()) {
    case Arm::VERSION:
      plain.number = arm == Arm::kVersion ? compare->version() : 0;
      break;
    case Arm::CREATE:
      plain.number = arm == Arm::kCreateRevision ? compare->create_revision() : 0;
      break;
    case Arm::MOD:
      plain.number = arm == Arm::kModRevision ? compare->mod_revision() : 0;
      break;
    case Arm::VALUE:
      plain.value = arm == Arm::kValue ? compare->value() : "";
      break;
    case Arm::LEASE:
      plain.number = arm == Arm::kLease ? compare->lease() : 0;
      break;
    default:
      break;
  }
  plain.result = static_cast<keyspace::CompareResult>(compare->result());
  plain.target = static_cast<keyspace::CompareTarget>(compare->target());
  plain.range = {compare->key(), compare->range_end()};
  compare->Clear();
  to_message(plain, compare);
}

inline void settle_operands(etcdserverpb::TxnRequest* txn) {
  for (auto& compare : *txn->mutable_compare()) settle_operand(&compare);
  for (auto* branch : {txn->mutable_success(), txn->mutable_failure()}) {
    for (auto& op : *branch) {
      if (op.has_request_txn()) settle_operands(op.mutable_request_txn());
    }
  }
}

inline void to_message(const keyspace::TxnRequest& request, etcdserverpb::TxnRequest* out);

inline void to_message(const keyspace::RequestOp& op, etcdserverpb::RequestOp* out) {
  if (const auto* range = std::get_if<keyspace::RangeRequest>(&op)) {
    to_message(*range, out->mutable_request_range());
  } else if (const auto* put = std::get_if<keyspace::PutRequest>(&op)) {
    to_message(*put, out->mutable_request_put());
  } else if (const auto* erase = std::get_if<keyspace::DeleteRangeRequest>(&op)) {
    to_message(*erase, out->mutable_request_delete_range());
  } else if (const auto* txn = std::get_if<std::unique_ptr<keyspace::TxnRequest>>(&op)) {
    to_message(**txn, out->mutable_request_txn());
  }
}

inline void to_message(const keyspace::TxnRequest& request, etcdserverpb::TxnRequest* out) {
  for (const keyspace::Compare& compare : request.compares) to_message(compare, out->add_compare());
  for (const keyspace::RequestOp& op : request.success) to_message(op, out->add_success());
  for (const keyspace::RequestOp& op : request.failure) to_message(op, out->add_failure());
}

}  // namespace lattice::etcd::testing
