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

// No configuration allows longer lists.
constexpr size_t txn_list_max = 100'000;
// What is so much longer than three full lists is not read to its end.
constexpr size_t txn_excess_max = 10'000;

enum class Outcome { ok, malformed, too_many };

Outcome outcome_of(const WireReader& in) { return in.failed() ? Outcome::malformed : Outcome::ok; }

// Calls take(in) at each field; it must read or skip it.
template <class Take>
Outcome each_field(std::string_view bytes, Take take) {
  WireReader in(bytes);
  while (in.next()) take(in);
  return outcome_of(in);
}

// Each parser merges into *out, as protobuf does when a message field comes twice.

Outcome parse(std::string_view bytes, RangeRequest* out) {
  return each_field(bytes, [out](WireReader& in) {
    switch (in.field()) {
      case 1:
        return in.read(&out->range.key);
      case 2:
        return in.read(&out->range.end);
      case 3:
        return in.read(&out->limit);
      case 4:
        return in.read(&out->revision.value);
      case 5:
        return in.read(&out->sort_order);
      case 6:
        return in.read(&out->sort_target);
      case 7:
        return in.read(&out->serializable);
      case 8:
        return in.read(&out->keys_only);
      case 9:
        return in.read(&out->count_only);
      case 10:
        return in.read(&out->min_mod_revision.value);
      case 11:
        return in.read(&out->max_mod_revision.value);
      case 12:
        return in.read(&out->min_create_revision.value);
      case 13:
        return in.read(&out->max_create_revision.value);
      default:
        return in.skip();
    }
  });
}

Outcome parse(std::string_view bytes, PutRequest* out) {
  return each_field(bytes, [out](WireReader& in) {
    switch (in.field()) {
      case 1:
        return in.read(&out->key);
      case 2:
        return in.read(&out->value);
      case 3:
        return in.read(&out->lease.value);
      case 4:
        return in.read(&out->prev_kv);
      case 5:
        return in.read(&out->ignore_value);
      case 6:
        return in.read(&out->ignore_lease);
      default:
        return in.skip();
    }
  });
}

Outcome parse(std::string_view bytes, DeleteRangeRequest* out) {
  return each_field(bytes, [out](WireReader& in) {
    switch (in.field()) {
      case 1:
        return in.read(&out->range.key);
      case 2:
        return in.read(&out->range.end);
      case 3:
        return in.read(&out->prev_kv);
      default:
        return in.skip();
    }
  });
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
  uint32_t arm = 0;  // the arm that came last wins
  int64_t number = 0;
  std::string_view value;
  const Outcome outcome = each_field(bytes, [&](WireReader& in) {
    const uint32_t field = in.field();
    switch (field) {
      case 1:
        return in.read(&out->result);
      case 2:
        return in.read(&out->target);
      case 3:
        return in.read(&out->range.key);
      case 4:
      case 5:
      case 6:
      case 8:
        if (in.read_number(&number)) arm = field;
        return;
      case 7:
        if (in.read_view(&value)) arm = field;
        return;
      case 64:
        return in.read(&out->range.end);
      default:
        return in.skip();
    }
  });
  // An operand in another arm than the target's counts as absent (etcd-v3.md 1.5).
  if (arm == arm_of(out->target)) {
    if (arm == arm_of(CompareTarget::value)) {
      out->value.assign(value);
    } else {
      out->number = number;
    }
  }
  return outcome;
}

Outcome parse(std::string_view bytes, TxnRequest* out, int depth, size_t kept);

// Parses `bytes` into the Arm that `op` holds already, or into a fresh one in its place.
template <class Arm>
Outcome parse_arm(std::string_view bytes, RequestOp* op) {
  Arm* arm = std::get_if<Arm>(op);
  if (arm == nullptr) arm = &op->emplace<Arm>();
  return parse(bytes, arm);
}

Outcome parse_nested(std::string_view bytes, RequestOp* op, int depth, size_t kept) {
  using Nested = std::unique_ptr<TxnRequest>;
  Nested* arm = std::get_if<Nested>(op);
  if (arm == nullptr) arm = &op->emplace<Nested>(std::make_unique<TxnRequest>());
  return parse(bytes, arm->get(), depth + 1, kept);
}

Outcome parse(std::string_view bytes, RequestOp* out, int depth, size_t kept) {
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
                                   : parse_nested(body, out, depth, kept);
    if (outcome != Outcome::ok) return outcome;
  }
  return outcome_of(in);
}

// The next element of a list that is read up to `kept`; from there on one that is thrown away.
template <class T>
T* next_of(std::vector<T>* list, size_t kept, T* spare) {
  if (list->size() < kept) return &list->emplace_back();
  *spare = {};
  return spare;
}

Outcome parse(std::string_view bytes, TxnRequest* out, int depth, size_t kept) {
  if (depth > txn_depth_max) return Outcome::too_many;
  WireReader in(bytes);
  size_t elements = 0;
  Compare spare_compare;
  RequestOp spare_op;
  while (in.next()) {
    uint32_t field = in.field();
    std::string_view body;
    if (field < 1 || field > 3) {
      in.skip();
      continue;
    }
    if (!in.read_view(&body)) continue;
    Outcome outcome = Outcome::ok;
    if (++elements > 3 * kept + txn_excess_max) return Outcome::too_many;
    if (field == 1) {
      outcome = parse(body, next_of(&out->compares, kept, &spare_compare));
    } else {
      std::vector<RequestOp>& list = field == 2 ? out->success : out->failure;
      outcome = parse(body, next_of(&list, kept, &spare_op), depth, kept);
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
  return decode_txn_up_to(message, txn_list_max - 1);
}

Result<TxnRequest> decode_txn_up_to(std::string_view message, size_t ops_max) {
  TxnRequest request;
  switch (parse(message, &request, 0, ops_max + 1)) {
    case Outcome::ok:
      return request;
    case Outcome::malformed:
      return unmarshal_error();
    case Outcome::too_many:
      return Error::too_many_ops;
  }
  return unmarshal_error();
}

}  // namespace lattice::etcd
