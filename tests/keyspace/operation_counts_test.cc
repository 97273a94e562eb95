// What is counted for etcd's metrics. The expected numbers are etcd 3.7.3's, observed at its port.
#include <doctest/doctest.h>

#include <array>

#include "keyspace/txn_builder.h"
#include "keyspace/workbench.h"

namespace lattice::keyspace {
namespace {

using Counts = std::array<uint64_t, 4>;  // txns, ranges, puts, deletes

struct Bench : Workbench {
  Bench() {
    put("a", "1");
    count();
  }
  Counts count() {
    const OperationCounts counts = keyspace().take_operation_counts();
    return {counts.txns, counts.ranges, counts.puts, counts.deletes};
  }
  Counts of(const PutRequest& request) {
    static_cast<void>(try_put(request));
    commit();
    return count();
  }
  Counts of(const Txn& txn) { return of(txn.request()); }
  Counts of(const TxnRequest& request) {
    if (is_read_only(request)) {
      static_cast<void>(keyspace().read_txn(request));
    } else {
      static_cast<void>(txn(request));
    }
    return count();
  }
};

Compare absent(std::string key) {
  return compare(std::move(key), CompareTarget::version, CompareResult::equal, 0);
}
Compare untrue(std::string key) {
  return compare(std::move(key), CompareTarget::version, CompareResult::equal, 5);
}
DeleteRangeRequest plain_remove(std::string key) { return {{std::move(key), ""}, false}; }

TEST_CASE("single operations are counted as etcd counts them") {
  Bench b;
  CHECK(b.of(put("a")) == Counts{0, 0, 1, 0});
  PutRequest request = put("a");
  request.prev_kv = true;
  CHECK(b.of(request) == Counts{1, 1, 1, 0});
  request = put("a");
  request.ignore_value = true;
  CHECK(b.of(request) == Counts{1, 1, 1, 0});
  request.key = "missing";
  CHECK(b.of(request) == Counts{0, 1, 0, 0});
  CHECK(b.of(put("a", "", LeaseId(99))) == Counts{0, 0, 0, 0});

  b.get("a");
  CHECK(b.count() == Counts{0, 1, 0, 0});
  b.get("a", Revision(1000));
  CHECK(b.count() == Counts{0, 1, 0, 0});
  b.remove("a");  // with prev_kv
  CHECK(b.count() == Counts{1, 1, 0, 1});
  // A request is one deletion, however many keys there are.
  b.put("d1", "");
  b.put("d2", "");
  b.count();
  CHECK(b.of(Txn().then(DeleteRangeRequest{{"d", "e"}, false})) == Counts{0, 0, 0, 1});
  CHECK(b.count() == Counts{0, 0, 0, 0});
}

TEST_CASE("transactions are counted as etcd counts them") {
  Bench b;
  CHECK(b.of(Txn()) == Counts{0, 0, 0, 0});
  CHECK(b.of(Txn().then(put("a"))) == Counts{0, 0, 1, 0});
  CHECK(b.of(Txn().then(put("a")).then(put("b"))) == Counts{1, 0, 2, 0});
  CHECK(b.of(Txn().then(range("a"))) == Counts{0, 1, 0, 0});
  CHECK(b.of(Txn().then(range("a")).then(range("b"))) == Counts{1, 2, 0, 0});
  CHECK(b.of(Txn().then(put("a")).then(range("b"))) == Counts{1, 1, 1, 0});
  CHECK(b.of(Txn().then(plain_remove("a"))) == Counts{0, 0, 0, 1});
  CHECK(b.of(Txn().then(plain_remove("a"))) == Counts{0, 0, 0, 1});  // of nothing
  CHECK(b.of(Txn().then(plain_remove("a")).then(put("b"))) == Counts{1, 0, 1, 1});
  // Compares read; a transaction that may write decides apart from what it then does.
  CHECK(b.of(Txn().when(absent("y")).then(put("a"))) == Counts{0, 1, 1, 0});
  CHECK(b.of(Txn().when(absent("y")).when(absent("z")).then(put("a"))) == Counts{1, 2, 1, 0});
  CHECK(b.of(Txn().when(untrue("y")).when(absent("z")).then(put("a"))) == Counts{0, 1, 0, 0});
  CHECK(b.of(Txn().when(untrue("y")).then(put("a")).otherwise(range("a"))) == Counts{0, 2, 0, 0});
  CHECK(b.of(Txn().when(absent("y")).then(range("a"))) == Counts{1, 2, 0, 0});
  PutRequest with_prev = put("a");
  with_prev.prev_kv = true;
  CHECK(b.of(Txn().then(with_prev)) == Counts{1, 2, 1, 0});
  // What is refused before it runs.
  CHECK(b.of(Txn().then(put("a")).then(put("a"))) == Counts{0, 0, 0, 0});
  RangeRequest future = range("a");
  future.revision = Revision(9999);
  CHECK(b.of(Txn().then(put("a")).then(future)) == Counts{0, 0, 0, 0});
}

TEST_CASE("a revoked lease counts a deletion for each of its keys") {
  Bench b;
  b.leases().push_back(LeaseId(7));
  b.of(put("l1", "", LeaseId(7)));
  b.of(put("l2", "", LeaseId(7)));
  b.revoke(LeaseId(7));
  CHECK(b.count() == Counts{1, 0, 0, 2});
  b.of(put("l1", "", LeaseId(7)));
  b.revoke(LeaseId(7));
  CHECK(b.count() == Counts{0, 0, 0, 1});
}

}  // namespace
}  // namespace lattice::keyspace
