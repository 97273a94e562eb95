// What the audit log says of a transaction: the changes of the branch that was taken.
// Thread: values.
#pragma once

#include <vector>

#include "etcd/audit.h"
#include "keyspace/requests.h"

namespace lattice::etcd {

// A transaction without its values, kept until it is known how it went.
class TxnNotes {
 public:
  explicit TxnNotes(const keyspace::TxnRequest& request);

  // Adds the fields `branch` and `ops`, of which there are only so many. `result`: null while it is
  // not known which branch was taken; then the changes of both are listed. False: the branch
  // changes nothing.
  bool describe(const keyspace::TxnResult* result, AuditLine* line) const;

 private:
  // One for each operation, so that answers are found beside them.
  struct Op {
    enum class Kind : uint8_t { read, put, erase, txn };
    Kind kind = Kind::read;
    keyspace::KeyRange range;
    LeaseId lease;
    std::vector<TxnNotes> nested;  // at most one
  };
  struct Listing;

  static std::vector<Op> ops_of(const std::vector<keyspace::RequestOp>& requests);
  static void list(const std::vector<Op>& ops, const keyspace::TxnResult* result, Listing* listing);
  void list_taken(const keyspace::TxnResult* result, Listing* listing) const;

  std::vector<Op> success_;
  std::vector<Op> failure_;
};

}  // namespace lattice::etcd
