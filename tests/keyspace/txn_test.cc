// Transactions and their traps (etcd-v3.md 1.5).
#include <doctest/doctest.h>

#include "keyspace/txn_builder.h"
#include "keyspace/workbench.h"

namespace lattice::keyspace {
namespace {

bool succeeds(Workbench& bench, Compare compare) {
  return bench.keyspace().read_txn(Txn().when(std::move(compare)).request())->succeeded;
}

template <class T>
const T& response(const TxnResult& result, size_t at) {
  return std::get<T>(result.responses.at(at));
}

TEST_CASE("every field can be compared with every operator") {
  Workbench bench;
  bench.leases() = {LeaseId(9)};
  bench.put("k", "b");
  bench.put("k", "b", LeaseId(9));  // version 2, create 2, mod 3
  const auto numbers = {
      std::pair(CompareTarget::version, int64_t{2}), std::pair(CompareTarget::create, int64_t{2}),
      std::pair(CompareTarget::mod, int64_t{3}), std::pair(CompareTarget::lease, int64_t{9})};
  for (const auto& [target, number] : numbers) {
    CAPTURE(static_cast<int>(target));
    CHECK(succeeds(bench, compare("k", target, CompareResult::equal, number)));
    CHECK(succeeds(bench, compare("k", target, CompareResult::greater, number - 1)));
    CHECK_FALSE(succeeds(bench, compare("k", target, CompareResult::greater, number)));
    CHECK(succeeds(bench, compare("k", target, CompareResult::less, number + 1)));
    CHECK_FALSE(succeeds(bench, compare("k", target, CompareResult::less, number)));
    CHECK_FALSE(succeeds(bench, compare("k", target, CompareResult::not_equal, number)));
  }
  CHECK(succeeds(bench, compare_value("k", CompareResult::equal, "b")));
  CHECK(succeeds(bench, compare_value("k", CompareResult::greater, "a")));
  CHECK(succeeds(bench, compare_value("k", CompareResult::less, "ba")));
  CHECK_FALSE(succeeds(bench, compare_value("k", CompareResult::not_equal, "b")));
}

TEST_CASE("an absent key has zeros, and no value that anything is true of") {
  Workbench bench;
  bench.put("gone", "v");
  bench.remove("gone");
  for (const char* key : {"never", "gone"}) {
    CHECK(succeeds(bench, compare(key, CompareTarget::mod, CompareResult::equal, 0)));
    CHECK(succeeds(bench, compare(key, CompareTarget::version, CompareResult::less, 1)));
    CHECK_FALSE(succeeds(bench, compare_value(key, CompareResult::not_equal, "x")));
    CHECK_FALSE(succeeds(bench, compare_value(key, CompareResult::equal, "")));
  }
}

TEST_CASE("an unknown operator holds, an unknown target is equal") {
  Workbench bench;
  bench.put("k", "v");
  CHECK(succeeds(bench, compare("k", CompareTarget::mod, static_cast<CompareResult>(9), 77)));
  CHECK(succeeds(bench, compare("k", static_cast<CompareTarget>(9), CompareResult::equal, 77)));
  CHECK_FALSE(
      succeeds(bench, compare("k", static_cast<CompareTarget>(9), CompareResult::less, 77)));
}

TEST_CASE("a compare over an interval must hold for every key in it") {
  Workbench bench;
  bench.put("a1", "v");
  bench.put("a2", "v");
  Compare guard = compare("a", CompareTarget::mod, CompareResult::less, 3);
  guard.range.end = "b";
  CHECK_FALSE(succeeds(bench, guard));
  guard.number = 4;
  CHECK(succeeds(bench, guard));
  guard.range = {"x", "y"};  // nothing there: like an absent key
  guard.result = CompareResult::equal;
  guard.number = 0;
  CHECK(succeeds(bench, guard));
}

TEST_CASE("an empty transaction succeeds and changes nothing") {
  Workbench bench;
  const Result<TxnResult> result = bench.txn(Txn().request());
  CHECK(result->succeeded);
  CHECK(result->responses.empty());
  CHECK(result->header_revision == Revision(1));
}

TEST_CASE("all changes share one revision and are ordered by sub-revision") {
  Workbench bench;
  bench.put("d1", "");
  bench.put("d2", "");
  const Result<TxnResult> result =
      bench.try_txn(Txn().then(put("a")).then(remove("d", "e")).then(put("b")).request());
  REQUIRE(result.ok());
  CHECK(result->header_revision == Revision(4));
  REQUIRE(bench.records().size() == 4);
  const char* const keys[] = {"a", "d1", "d2", "b"};
  for (size_t i = 0; i < 4; ++i) {
    CHECK(bench.records()[i].key.view() == keys[i]);
    CHECK(bench.records()[i].revision == Revision(4));
    CHECK(bench.records()[i].sub == static_cast<int32_t>(i));
  }
  CHECK(bench.records()[1].kind == RecordKind::tombstone);
}

TEST_CASE("a range sees what the transaction did before it, and its header tells") {
  Workbench bench;
  bench.put("k", "old");
  const Result<TxnResult> result =
      bench.txn(Txn().then(range("k")).then(put("k", "new")).then(range("k")).request());
  REQUIRE(result.ok());
  const auto& before = response<RangeResult>(*result, 0);
  CHECK(before.header_revision == Revision(2));
  CHECK(before.kvs.at(0)->value() == "old");
  CHECK(response<PutResult>(*result, 1).header_revision == Revision(3));
  const auto& after = response<RangeResult>(*result, 2);
  CHECK(after.header_revision == Revision(3));
  CHECK(after.kvs.at(0)->value() == "new");
}

TEST_CASE("a delete of nothing names the revision before, or the transaction's once it changed") {
  Workbench bench;
  const Result<TxnResult> result =
      bench.txn(Txn().then(remove("x")).then(put("k")).then(remove("x")).request());
  CHECK(response<DeleteRangeResult>(*result, 0).header_revision == Revision(1));
  CHECK(response<DeleteRangeResult>(*result, 2).header_revision == Revision(2));
  CHECK(response<DeleteRangeResult>(*result, 2).deleted == 0);
}

TEST_CASE("nested compares see the state before the whole transaction") {
  Workbench bench;
  Txn nested;
  nested.when(compare("k", CompareTarget::version, CompareResult::equal, 0)).then(put("absent"));
  const Result<TxnResult> result = bench.txn(Txn().then(put("k")).then(nested).request());
  const auto& inner = response<std::unique_ptr<TxnResult>>(*result, 1);
  CHECK(inner->succeeded);
  CHECK(inner->header_revision == Revision(0));
  CHECK(bench.get("absent"));
}

TEST_CASE("a transaction that is refused leaves nothing behind") {
  Workbench bench;
  bench.put("k", "v");
  SUBCASE("an unknown lease") {
    const auto result = bench.txn(Txn().then(put("a")).then(put("b", "", LeaseId(5))).request());
    CHECK(result.error() == Error::lease_not_found);
  }
  SUBCASE("a revision of the future, as the transaction's own is") {
    RangeRequest future = range("k");
    future.revision = Revision(3);
    CHECK(bench.txn(Txn().then(put("a")).then(future).request()).error() == Error::future_revision);
  }
  SUBCASE("a key whose value is to be kept is not there") {
    PutRequest keep = put("b");
    keep.ignore_value = true;
    CHECK(bench.txn(Txn().then(put("a")).then(keep).request()).error() == Error::key_not_found);
  }
  SUBCASE("a key whose value is to be kept goes away within the transaction") {
    PutRequest keep = put("k");
    keep.ignore_value = true;
    const auto result = bench.txn(
        Txn().then(put("a")).then(remove("b", std::string(1, '\0'))).then(keep).request());
    CHECK(result.error() == Error::key_not_found);
  }
  CHECK(bench.records().empty());
  CHECK(bench.keyspace().staged_revision() == Revision(2));
  CHECK(bench.range_all().count == 1);
  CHECK(bench.get("k")->value() == "v");
}

TEST_CASE("checks go in the order of the operations") {
  Workbench bench;
  RangeRequest future = range("k");
  future.revision = Revision(9);
  CHECK(bench.txn(Txn().then(future).then(put("a", "", LeaseId(5))).request()).error() ==
        Error::future_revision);
  CHECK(bench.txn(Txn().then(put("a", "", LeaseId(5))).then(future).request()).error() ==
        Error::lease_not_found);
}

TEST_CASE("in a transaction the missing key comes before the missing lease, alone after it") {
  Workbench bench;
  PutRequest request = put("k", "", LeaseId(5));
  request.ignore_value = true;
  CHECK(bench.txn(Txn().then(request).request()).error() == Error::key_not_found);
  CHECK(bench.try_put(request).error() == Error::lease_not_found);
}

TEST_CASE("a negative revision in a transaction is compacted, unless nothing ever was") {
  Workbench bench;
  bench.put("k", "v");
  RangeRequest negative = range("k");
  negative.revision = Revision(-1);
  CHECK(bench.keyspace().read_txn(Txn().then(negative).request()).ok());
  negative.revision = Revision(-2);
  CHECK(bench.keyspace().read_txn(Txn().then(negative).request()).error() == Error::compacted);
  bench.compact(Revision(0));
  negative.revision = Revision(-1);
  CHECK(bench.keyspace().read_txn(Txn().then(negative).request()).error() == Error::compacted);
}

TEST_CASE("the branch that is not taken is not checked") {
  Workbench bench;
  const auto result = bench.txn(Txn().then(put("a")).otherwise(put("b", "", LeaseId(5))).request());
  CHECK(result.ok());
}

TEST_CASE("one revision can delete a key and put it again") {
  Workbench bench;
  bench.put("k", "old");
  const std::string open(1, '\0');
  REQUIRE(bench.txn(Txn().then(remove("a", open)).then(put("k", "new")).request()).ok());
  const KvRef kv = bench.get("k");
  CHECK(kv->version() == 1);
  CHECK(kv->create_revision() == Revision(3));
  CHECK(kv->sub() == 1);
  CHECK(bench.get("k", Revision(2))->value() == "old");
}

TEST_CASE("one revision can put a key and delete it") {
  Workbench bench;
  bench.put("k", "old");
  Txn deletes;
  deletes.then(remove("k"));
  Txn puts;
  puts.then(put("k", "new"));
  REQUIRE(bench.txn(Txn().then(puts).then(deletes).request()).ok());
  CHECK_FALSE(bench.get("k"));
  std::vector<KvRef> events;
  bench.keyspace().visit_history(Revision(3), [&](const KvRef& event) {
    events.push_back(event);
    return true;
  });
  REQUIRE(events.size() == 2);
  CHECK(events[0]->value() == "new");
  CHECK(events[1]->tombstone());
  // prev_kv is the key one revision earlier, for both.
  CHECK(bench.keyspace().previous(*events[0])->value() == "old");
  CHECK(bench.keyspace().previous(*events[1])->value() == "old");
}

TEST_CASE("a read-only transaction sees the visible state") {
  Workbench bench;
  bench.put("k", "old");
  bench.stage_put("k", "new");
  const auto result = bench.keyspace().read_txn(Txn().then(range("k")).request());
  CHECK(result->header_revision == Revision(2));
  CHECK(response<RangeResult>(*result, 0).kvs.at(0)->value() == "old");
}

TEST_CASE("requests of one batch see each other") {
  Workbench bench;
  bench.stage_put("k", "v");
  const auto result =
      bench.try_txn(Txn()
                        .when(compare("k", CompareTarget::mod, CompareResult::equal, 2))
                        .then(put("l"))
                        .request());
  CHECK(result->succeeded);
  CHECK(result->header_revision == Revision(3));
}

}  // namespace
}  // namespace lattice::keyspace
