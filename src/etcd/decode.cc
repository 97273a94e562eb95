#include "etcd/decode.h"

#include "etcd/wire.h"

namespace lattice::etcd {
namespace {

using keyspace::Compare;
using keyspace::CompareTarget;
using keyspace::DeleteRangeRequest;
using keyspace::PutRequest;
using keyspace::RangeRequest;
using keyspace::RequestOp;
using keyspace::TxnRequest;

enum class Outcome { ok, malformed, too_deep };

Outcome outcome_of(const WireReader& in) { return in.failed() ? Outcome::malformed : Outcome::ok; }

// Each parser merges into *out, as protobuf does when a message field comes twice.

Outcome parse(std::string_view bytes, RangeRequest* out) {
  WireReader in(bytes);
  while (in.next()) {
    switch (in.field()) {
      case 1:
        in.read(&out->range.key);
        break;
      case 2:
        in.read(&out->range.end);
        break;
      case 3:
        in.read(&out->limit);
        break;
      case 4:
        in.read(&out->revision.value);
        break;
      case 5:
        in.read(&out->sort_order);
        break;
      case 6:
        in.read(&out->sort_target);
        break;
      case 7:
        in.read(&out->serializable);
        break;
      case 8:
        in.read(&out->keys_only);
        break;
      case 9:
        in.read(&out->count_only);
        break;
      case 10:
        in.read(&out->min_mod_revision.value);
        break;
      case 11:
        in.read(&out->max_mod_revision.value);
        break;
      case 12:
        in.read(&out->min_create_revision.value);
        break;
      case 13:
        in.read(&out->max_create_revision.value);
        break;
      default:
        in.skip();
    }
  }
  return outcome_of(in);
}

Outcome parse(std::string_view bytes, PutRequest* out) {
  WireReader in(bytes);
  while (in.next()) {
    switch (in.field()) {
      case 1:
        in.read(&out->key);
        break;
      case 2:
        in.read(&out->value);
        break;
      case 3:
        in.read(&out->lease.value);
        break;
      case 4:
        in.read(&out->prev_kv);
        break;
      case 5:
        in.read(&out->ignore_value);
        break;
      case 6:
        in.read(&out->ignore_lease);
        break;
      default:
        in.skip();
    }
  }
  return outcome_of(in);
}

Outcome parse(std::string_view bytes, DeleteRangeRequest* out) {
  WireReader in(bytes);
  while (in.next()) {
    switch (in.field()) {
      case 1:
        in.read(&out->range.key);
        break;
      case 2:
        in.read(&out->range.end);
        break;
      case 3:
        in.read(&out->prev_kv);
        break;
      default:
        in.skip();
    }
  }
  return outcome_of(in);
}

// The arm of Compare.target_union that carries the operand for a target; 0 for a target that no arm
// belongs to.
uint32_t arm_of(CompareTarget target) {
  switch (target) {
    case CompareTarget::version:
      return 4;
    case CompareTarget::create:
      return 5;
    case CompareTarget::mod:
      return 6;
    case CompareTarget::value:
      return 7;
    case CompareTarget::lease:
      return 8;
  }
  return 0;
}

Outcome parse(std::string_view bytes, Compare* out) {
  WireReader in(bytes);
  uint32_t arm = 0;  // the arm that came last wins
  int64_t number = 0;
  std::string_view value;
  while (in.next()) {
    switch (uint32_t field = in.field()) {
      case 1:
        in.read(&out->result);
        break;
      case 2:
        in.read(&out->target);
        break;
      case 3:
        in.read(&out->range.key);
        break;
      case 4:
      case 5:
      case 6:
      case 8: {
        if (in.read_number(&number)) arm = field;
        break;
      }
      case 7:
        if (in.read_view(&value)) arm = field;
        break;
      case 64:
        in.read(&out->range.end);
        break;
      default:
        in.skip();
    }
  }
  // An operand in another arm than the target's counts as absent (etcd-v3.md 1.5).
  if (arm == arm_of(out->target)) {
    if (arm == arm_of(CompareTarget::value)) {
      out->value.assign(value);
    } else {
      out->number = number;
    }
  }
  return outcome_of(in);
}

Outcome parse(std::string_view bytes, TxnRequest* out, int depth);

// Parses `bytes` into the Arm that `op` holds already, or into a fresh one in its place.
template <class Arm>
Outcome parse_arm(std::string_view bytes, RequestOp* op) {
  Arm* arm = std::get_if<Arm>(op);
  if (arm == nullptr) arm = &op->emplace<Arm>();
  return parse(bytes, arm);
}

Outcome parse_nested(std::string_view bytes, RequestOp* op, int depth) {
  using Nested = std::unique_ptr<TxnRequest>;
  Nested* arm = std::get_if<Nested>(op);
  if (arm == nullptr) arm = &op->emplace<Nested>(std::make_unique<TxnRequest>());
  return parse(bytes, arm->get(), depth + 1);
}

Outcome parse(std::string_view bytes, RequestOp* out, int depth) {
  WireReader in(bytes);
  while (in.next()) {
    uint32_t field = in.field();
    std::string_view body;
    if (field < 1 || field > 4) {
      in.skip();
      continue;
    }
    if (!in.read_view(&body)) continue;
    Outcome outcome = field == 1   ? parse_arm<RangeRequest>(body, out)
                      : field == 2 ? parse_arm<PutRequest>(body, out)
                      : field == 3 ? parse_arm<DeleteRangeRequest>(body, out)
                                   : parse_nested(body, out, depth);
    if (outcome != Outcome::ok) return outcome;
  }
  return outcome_of(in);
}

Outcome parse(std::string_view bytes, TxnRequest* out, int depth) {
  if (depth > txn_depth_max) return Outcome::too_deep;
  WireReader in(bytes);
  while (in.next()) {
    uint32_t field = in.field();
    std::string_view body;
    if (field < 1 || field > 3) {
      in.skip();
      continue;
    }
    if (!in.read_view(&body)) continue;
    Outcome outcome = Outcome::ok;
    if (field == 1) {
      outcome = parse(body, &out->compares.emplace_back());
    } else {
      outcome = parse(body, &(field == 2 ? out->success : out->failure).emplace_back(), depth);
    }
    if (outcome != Outcome::ok) return outcome;
  }
  return outcome_of(in);
}

template <class Request>
Result<Request> decode(std::string_view message) {
  Request request;
  if (parse(message, &request) != Outcome::ok) return unmarshal_error();
  return request;
}

}  // namespace

Status unmarshal_error() {
  return {Error::internal,
          "grpc: error unmarshalling request: proto: cannot parse invalid "
          "wire-format data"};
}

Result<RangeRequest> decode_range(std::string_view message) {
  return decode<RangeRequest>(message);
}
Result<PutRequest> decode_put(std::string_view message) { return decode<PutRequest>(message); }
Result<DeleteRangeRequest> decode_delete_range(std::string_view message) {
  return decode<DeleteRangeRequest>(message);
}

Result<TxnRequest> decode_txn(std::string_view message) {
  TxnRequest request;
  switch (parse(message, &request, 0)) {
    case Outcome::ok:
      return request;
    case Outcome::malformed:
      return unmarshal_error();
    case Outcome::too_deep:
      return Error::too_many_ops;
  }
  return unmarshal_error();
}

}  // namespace lattice::etcd
