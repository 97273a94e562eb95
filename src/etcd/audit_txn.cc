#include "etcd/audit_txn.h"

#include <memory>
#include <variant>

namespace lattice::etcd {
namespace {

constexpr size_t ops_max = 64;
constexpr size_t ops_bytes_max = 16 << 10;

}  // namespace

struct TxnNotes::Listing {
  AuditLine& line;
  const size_t begin = line.size();
  size_t listed = 0;
  size_t total = 0;

  void add(const Op& op) {
    ++total;
    if (listed == ops_max || line.size() - begin > ops_bytes_max) return;
    ++listed;
    line.open_object().text("op", op.kind == Op::Kind::put ? "put" : "delete");
    etcd::describe(op.range, &line);
    if (op.lease.value != 0) line.lease(op.lease);
    line.close_object();
  }
};

TxnNotes::TxnNotes(const keyspace::TxnRequest& request)
    : success_(ops_of(request.success)), failure_(ops_of(request.failure)) {}

std::vector<TxnNotes::Op> TxnNotes::ops_of(const std::vector<keyspace::RequestOp>& requests) {
  std::vector<Op> ops;
  ops.reserve(requests.size());
  for (const keyspace::RequestOp& request : requests) {
    Op& op = ops.emplace_back();
    if (const auto* put = std::get_if<keyspace::PutRequest>(&request)) {
      op.kind = Op::Kind::put;
      op.range.key = put->key;
      op.lease = put->lease;
    } else if (const auto* erase = std::get_if<keyspace::DeleteRangeRequest>(&request)) {
      op.kind = Op::Kind::erase;
      op.range = erase->range;
    } else if (const auto* txn = std::get_if<std::unique_ptr<keyspace::TxnRequest>>(&request)) {
      op.kind = Op::Kind::txn;
      op.nested.emplace_back(**txn);
    }
  }
  return ops;
}

void TxnNotes::list(const std::vector<Op>& ops, const keyspace::TxnResult* result,
                    Listing* listing) {
  for (size_t i = 0; i < ops.size(); ++i) {
    const Op& op = ops[i];
    if (op.kind == Op::Kind::put || op.kind == Op::Kind::erase) listing->add(op);
    if (op.kind != Op::Kind::txn) continue;
    const std::unique_ptr<keyspace::TxnResult>* answer = nullptr;
    if (result != nullptr && i < result->responses.size()) {
      answer = std::get_if<std::unique_ptr<keyspace::TxnResult>>(&result->responses[i]);
    }
    op.nested.front().list_taken(answer == nullptr ? nullptr : answer->get(), listing);
  }
}

void TxnNotes::list_taken(const keyspace::TxnResult* result, Listing* listing) const {
  if (result == nullptr || result->succeeded) list(success_, result, listing);
  if (result == nullptr || !result->succeeded) list(failure_, result, listing);
}

bool TxnNotes::describe(const keyspace::TxnResult* result, AuditLine* line) const {
  line->text("branch", result == nullptr ? "unknown" : result->succeeded ? "success" : "failure");
  line->open_list("ops");
  Listing listing{*line};
  list_taken(result, &listing);
  line->close_list();
  if (listing.total > listing.listed) {
    line->number("ops_total", static_cast<int64_t>(listing.total));
  }
  return listing.total > 0;
}

}  // namespace lattice::etcd
