// Transactions written the way one says them: Txn().when(...).then(...).otherwise(...).
#pragma once

#include "keyspace/keyspace.h"

namespace lattice::keyspace {

inline RangeRequest range(std::string key, std::string end = "") {
  RangeRequest request;
  request.range = {std::move(key), std::move(end)};
  return request;
}
inline PutRequest put(std::string key, std::string value = "", LeaseId lease = {}) {
  PutRequest request;
  request.key = std::move(key);
  request.value = std::move(value);
  request.lease = lease;
  return request;
}
inline DeleteRangeRequest remove(std::string key, std::string end = "") {
  return {{std::move(key), std::move(end)}, true};
}
inline Compare compare(std::string key, CompareTarget target, CompareResult result,
                       int64_t number) {
  return {result, target, {std::move(key), ""}, number, ""};
}
inline Compare compare_value(std::string key, CompareResult result, std::string value) {
  return {result, CompareTarget::value, {std::move(key), ""}, 0, std::move(value)};
}

class Txn {
 public:
  Txn() : request_(std::make_unique<TxnRequest>()) {}

  Txn& when(Compare compare) {
    request_->compares.push_back(std::move(compare));
    return *this;
  }
  Txn& then(RequestOp op) {
    request_->success.push_back(std::move(op));
    return *this;
  }
  // Takes the nested transaction over, also from the chain of calls that built it.
  Txn& then(Txn& nested) { return then(RequestOp(std::move(nested.request_))); }
  Txn& then(Txn&& nested) { return then(nested); }
  Txn& otherwise(RequestOp op) {
    request_->failure.push_back(std::move(op));
    return *this;
  }
  const TxnRequest& request() const { return *request_; }

 private:
  std::unique_ptr<TxnRequest> request_;
};

}  // namespace lattice::keyspace
