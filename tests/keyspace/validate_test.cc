// What is refused before anything reaches the log (etcd-v3.md 1.2, 1.4 and 1.5).
#include <doctest/doctest.h>

#include "keyspace/txn_builder.h"

namespace lattice::keyspace {
namespace {

Error error_of(const Txn& txn, int max_ops = 128) {
  return validate(txn.request(), max_ops).error();
}

TEST_CASE("empty keys are refused everywhere") {
  CHECK(validate(RangeRequest()) == Error::empty_key);
  CHECK(validate(PutRequest()) == Error::empty_key);
  CHECK(validate(DeleteRangeRequest{{"", "z"}, false}) == Error::empty_key);
  CHECK(error_of(Txn().when(Compare())) == Error::empty_key);
  CHECK(error_of(Txn().then(put(""))) == Error::empty_key);
  CHECK(error_of(Txn().otherwise(remove(""))) == Error::empty_key);
}

TEST_CASE("sort options outside the enumerations are refused, after the key") {
  RangeRequest request = range("k");
  request.sort_order = static_cast<SortOrder>(3);
  CHECK(validate(request) == Error::invalid_sort_option);
  request.sort_order = SortOrder::none;
  request.sort_target = static_cast<SortTarget>(-1);
  CHECK(validate(request) == Error::invalid_sort_option);
  request.range.key.clear();
  CHECK(validate(request) == Error::empty_key);
}

TEST_CASE("a put cannot both ignore and provide") {
  PutRequest request = put("k", "v");
  request.ignore_value = true;
  CHECK(validate(request) == Error::value_provided);
  request = put("k");
  request.lease = LeaseId(1);
  request.ignore_lease = true;
  CHECK(validate(request) == Error::lease_provided);
  request.lease = LeaseId(0);
  CHECK(validate(request).ok());
}

TEST_CASE("an operation without an arm is a key that was not found") {
  CHECK(error_of(Txn().then(std::monostate())) == Error::key_not_found);
}

TEST_CASE("the budget is compared with the longest of the three lists") {
  Txn txn;
  for (int i = 0; i < 3; ++i) txn.then(range("k")).otherwise(range("k"));
  CHECK(error_of(txn, 3) == Error::ok);
  CHECK(error_of(txn, 2) == Error::too_many_ops);
}

TEST_CASE("a nested transaction has what its parent leaves") {
  const auto with_inner_ops = [](int inner) {
    Txn nested;
    for (int i = 0; i < inner; ++i) nested.then(range("k"));
    Txn outer;
    outer.then(range("a")).then(nested);
    return outer;
  };
  CHECK(error_of(with_inner_ops(3), 5) == Error::ok);
  CHECK(error_of(with_inner_ops(4), 5) == Error::too_many_ops);
}

TEST_CASE("two puts of a key are refused in one branch and allowed in two") {
  CHECK(error_of(Txn().then(put("k")).then(put("k"))) == Error::duplicate_key);
  CHECK(error_of(Txn().then(put("k")).otherwise(put("k"))) == Error::ok);
}

TEST_CASE("a put inside a deleted interval is refused, wherever the delete stands") {
  CHECK(error_of(Txn().then(put("k")).then(remove("a", "z"))) == Error::duplicate_key);
  CHECK(error_of(Txn().then(remove("a", "z")).then(put("k"))) == Error::duplicate_key);
  CHECK(error_of(Txn().then(remove("k")).then(put("k"))) == Error::duplicate_key);
  CHECK(error_of(Txn().then(remove("a", "k")).then(put("k"))) == Error::ok);
  CHECK(error_of(Txn().then(remove("k")).then(put(std::string("k\0", 2)))) == Error::ok);
}

TEST_CASE("overlapping deletes are allowed") {
  CHECK(error_of(Txn().then(remove("a", "m")).then(remove("c", "z")).then(put("z"))) == Error::ok);
  CHECK(error_of(Txn().then(remove("a", "m")).then(remove("c", "z")).then(put("y"))) ==
        Error::duplicate_key);
  CHECK(error_of(Txn().then(remove("a", "z")).then(remove("c", "d")).then(put("y"))) ==
        Error::duplicate_key);
}

TEST_CASE("an open-ended delete is overlooked, and an inverted one deletes nothing") {
  CHECK(error_of(Txn().then(remove("a", std::string(1, '\0'))).then(put("k"))) == Error::ok);
  CHECK(error_of(Txn().then(remove("z", "a")).then(put("k"))) == Error::ok);
}

TEST_CASE("a nested branch may not put what its parent puts or deletes") {
  CHECK(error_of(Txn().then(put("k")).then(Txn().otherwise(put("k")))) == Error::duplicate_key);
  CHECK(error_of(Txn().then(Txn().then(put("k"))).then(remove("a", "z"))) == Error::duplicate_key);
  CHECK(error_of(Txn().then(Txn().then(remove("a", "z"))).then(put("k"))) == Error::duplicate_key);
}

TEST_CASE("both branches of one nested transaction may put a key, two siblings may not") {
  CHECK(error_of(Txn().then(Txn().then(put("k")).otherwise(put("k")))) == Error::ok);
  CHECK(error_of(Txn().then(Txn().then(put("k"))).then(Txn().otherwise(put("k")))) ==
        Error::duplicate_key);
  CHECK(error_of(Txn().then(Txn().then(put("k"))).then(Txn().then(put("k")).otherwise(put("k")))) ==
        Error::duplicate_key);
}

TEST_CASE("of two nested siblings, put then delete passes and delete then put does not") {
  CHECK(error_of(Txn().then(Txn().then(put("k"))).then(Txn().then(remove("k")))) == Error::ok);
  CHECK(error_of(Txn().then(Txn().then(remove("k"))).then(Txn().then(put("k")))) ==
        Error::duplicate_key);
  CHECK(error_of(Txn().then(Txn().otherwise(remove("k"))).then(Txn().then(put("k")))) ==
        Error::duplicate_key);
}

TEST_CASE("the failure branch is checked too") {
  CHECK(error_of(Txn().otherwise(put("k")).otherwise(put("k"))) == Error::duplicate_key);
}

TEST_CASE("fields are checked before duplicates") {
  CHECK(error_of(Txn().then(put("k")).then(put("k")).otherwise(put(""))) == Error::empty_key);
}

TEST_CASE("ranges alone make a read, a nested transaction makes a write") {
  CHECK(is_read_only(Txn().request()));
  CHECK(is_read_only(Txn().then(range("a")).otherwise(range("b")).request()));
  CHECK_FALSE(is_read_only(Txn().then(range("a")).otherwise(put("b")).request()));
  CHECK_FALSE(is_read_only(Txn().then(Txn().then(range("a"))).request()));
}

}  // namespace
}  // namespace lattice::keyspace
