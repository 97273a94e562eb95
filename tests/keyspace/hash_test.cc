// HashKV: the numbers below were answered by etcd 3.7.3 to the same writes and compactions.
#include <doctest/doctest.h>

#include "keyspace/workbench.h"

namespace lattice::keyspace {
namespace {

struct Expected {
  int64_t revision;
  uint32_t hash;
  int64_t compact_revision;
  int64_t hash_revision;
};

void check(Workbench& bench, const std::vector<Expected>& all) {
  for (const Expected& expected : all) {
    CAPTURE(expected.revision);
    const Result<HashResult> result = bench.keyspace().hash_kv(Revision(expected.revision));
    REQUIRE(result.ok());
    CHECK(result->hash == expected.hash);
    CHECK(result->compact_revision == Revision(expected.compact_revision));
    CHECK(result->hash_revision == Revision(expected.hash_revision));
    CHECK(result->header_revision == bench.keyspace().visible_revision());
  }
}

Error error_at(Workbench& bench, int64_t revision) {
  return bench.keyspace().hash_kv(Revision(revision)).error();
}

// Revisions 2 to 7: puts with and without leases, a delete, a transaction, an empty value.
void write_seven_revisions(Workbench& bench) {
  bench.leases() = {LeaseId(77), LeaseId(-3)};
  bench.put("a", "1");
  bench.put("b", "2", LeaseId(77));
  bench.put("a", "3");
  bench.remove("b");
  TxnRequest request;
  PutRequest put;
  put.key = "c";
  put.value = "4";
  put.lease = LeaseId(-3);
  request.success.emplace_back(put);
  put.key = "d";
  put.value = "5";
  put.lease = LeaseId(0);
  request.success.emplace_back(put);
  request.success.emplace_back(DeleteRangeRequest{{"a", ""}, false});
  REQUIRE(bench.txn(request).ok());
  bench.put("a", "");
}

TEST_CASE("hashes before any compaction are etcd's") {
  Workbench bench;
  check(bench, {{0, 1084519789, -1, 1}});
  write_seven_revisions(bench);
  check(bench, {{0, 874771429, -1, 7},
                {1, 1084519789, -1, 1},
                {2, 2587454935, -1, 2},
                {3, 1151892986, -1, 3},
                {4, 1479781970, -1, 4},
                {5, 1054477687, -1, 5},
                {6, 530553927, -1, 6},
                {7, 874771429, -1, 7}});
  CHECK(error_at(bench, 8) == Error::future_revision);
}

TEST_CASE("hashes across compactions are etcd's") {
  Workbench bench;
  write_seven_revisions(bench);
  bench.compact(Revision(5));
  check(bench, {{0, 1817295889, 5, 7},
                {5, 1054477687, -1, 5},
                {6, 2684301762, 5, 6},
                {7, 1817295889, 5, 7}});
  CHECK(error_at(bench, 4) == Error::compacted);

  bench.put("b", "6");
  bench.remove("c");
  bench.compact(Revision(7));
  check(
      bench,
      {{0, 3923083287, 7, 9}, {5, 1054477687, -1, 5}, {7, 1817295889, 5, 7}, {8, 519390077, 7, 8}});
  CHECK(error_at(bench, 6) == Error::compacted);

  bench.compact(Revision(9));
  check(bench, {{0, 3267156506, 9, 9}, {7, 1817295889, 5, 7}, {9, 3923083287, 7, 9}});
}

TEST_CASE("hashes of a store of tombstones are etcd's") {
  Workbench bench;
  write_seven_revisions(bench);
  bench.compact(Revision(5));
  bench.put("b", "6");
  bench.remove("c");
  bench.compact(Revision(9));
  const std::string from_the_start(1, '\0');
  bench.remove(from_the_start, from_the_start);
  check(bench, {{0, 798902266, 9, 10}});
  bench.compact(Revision(10));
  check(bench, {{0, 1084519789, 10, 10}, {10, 1034196024, 9, 10}});
  bench.put("z", "z");
  check(bench, {{0, 3806421073, 10, 11}});
  bench.remove("z");
  check(bench, {{12, 635114650, 10, 12}});
  bench.compact(Revision(12));
  check(bench, {{12, 635114650, 10, 12}, {0, 1084519789, 12, 12}});
  bench.put("y", "y");
  check(bench, {{13, 3190527845, 12, 13}});
}

TEST_CASE("a hash in the middle of a compaction is the one after it") {
  Workbench bench;
  write_seven_revisions(bench);
  bench.keyspace().set_compact_revision(Revision(5));
  for (bool done = false; !done;) {
    check(bench, {{0, 1817295889, 5, 7}, {6, 2684301762, 5, 6}});
    done = bench.keyspace().compact_step(1, &bench.dropped()).done;
  }
}

TEST_CASE("the compaction's own hash is that of what survived") {
  Workbench bench;
  write_seven_revisions(bench);
  // Compacting twice in a row drops nothing more: HashKV then answers what survived at 7.
  const uint32_t survivors = bench.compact(Revision(7));
  CHECK(bench.keyspace().hash_kv(Revision(0))->hash == survivors);
}

TEST_CASE("the hashes of the ten newest compactions are kept") {
  Workbench bench;
  for (int64_t revision = 2; revision <= 13; ++revision) {
    bench.put("k", std::to_string(revision));
    bench.compact(Revision(revision));
  }
  CHECK(error_at(bench, 2) == Error::compacted);
  CHECK(error_at(bench, 3) == Error::compacted);
  CHECK(error_at(bench, 4) == Error::ok);
  CHECK(error_at(bench, 13) == Error::ok);
}

TEST_CASE("a compaction at zero does not stand in for the newest hash") {
  Workbench bench;
  bench.compact(Revision(0));
  write_seven_revisions(bench);
  CHECK(bench.keyspace().hash_kv(Revision(0))->hash == 874771429);
}

}  // namespace
}  // namespace lattice::keyspace
