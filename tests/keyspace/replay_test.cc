// Records that come back from a log: what follows, and what cannot.
#include <doctest/doctest.h>

#include "keyspace/workbench.h"

namespace lattice::keyspace {
namespace {

Record put_record(const char* key, int64_t revision, int64_t create, int64_t version) {
  Record record;
  record.kind = RecordKind::put;
  record.key = Bytes::copy(key);
  record.value = Bytes::copy("v");
  record.revision = Revision(revision);
  record.create_revision = Revision(create);
  record.version = version;
  return record;
}

Record tombstone_record(const char* key, int64_t revision, int32_t sub = 0) {
  Record record;
  record.kind = RecordKind::tombstone;
  record.key = Bytes::copy(key);
  record.revision = Revision(revision);
  record.sub = sub;
  return record;
}

Error apply(Keyspace& keyspace, const Record& record) {
  return keyspace.apply(record, {Seq(1), 0}).error();
}

TEST_CASE("applied versions are visible at once and keep their place in the log") {
  Keyspace keyspace;
  REQUIRE(keyspace.apply(put_record("k", 2, 2, 1), {Seq(5), 3}).ok());
  CHECK(keyspace.visible_revision() == Revision(2));
  CHECK(keyspace.staged_revision() == Revision(2));
  CHECK(keyspace.key_count() == 1);
  RangeRequest request;
  request.range.key = "k";
  CHECK(keyspace.range(request)->kvs.at(0)->id() == RecordId{Seq(5), 3});
}

TEST_CASE("a survivor may begin with any version") {
  Keyspace keyspace;
  CHECK(apply(keyspace, put_record("k", 50, 20, 7)) == Error::ok);
  CHECK(apply(keyspace, put_record("k", 60, 20, 8)) == Error::ok);
  CHECK(apply(keyspace, tombstone_record("gone", 61)) == Error::ok);
  CHECK(keyspace.key_count() == 1);
}

TEST_CASE("what cannot follow is corruption") {
  Keyspace keyspace;
  REQUIRE(apply(keyspace, put_record("k", 5, 5, 1)) == Error::ok);
  REQUIRE(apply(keyspace, tombstone_record("gone", 6)) == Error::ok);
  const auto refused = [&](const Record& record) {
    return apply(keyspace, record) == Error::backend_corrupt;
  };
  CHECK(refused(put_record("k", 7, 5, 3)));       // a version is missing
  CHECK(refused(put_record("k", 7, 7, 1)));       // created although it is there
  CHECK(refused(put_record("k", 7, 4, 2)));       // another creation
  CHECK(refused(put_record("gone", 7, 5, 2)));    // goes on behind a tombstone
  CHECK(refused(tombstone_record("gone", 7)));    // deleted twice
  CHECK(refused(put_record("older", 4, 4, 1)));   // revisions go backward
  CHECK(refused(put_record("same", 6, 6, 1)));    // twice the same (revision, sub)
  CHECK(refused(put_record("future", 7, 8, 1)));  // created after it was changed
  CHECK(refused(put_record("zero", 7, 7, 0)));    // versions start at 1
  CHECK(refused(put_record("", 7, 7, 1)));
  Record other = put_record("k", 7, 5, 2);
  other.kind = RecordKind::compact;
  CHECK(refused(other));
  CHECK(keyspace.visible_revision() == Revision(6));
  CHECK(apply(keyspace, put_record("k", 7, 5, 2)) == Error::ok);
}

TEST_CASE("one revision may hold several records, by sub-revision") {
  Keyspace keyspace;
  CHECK(apply(keyspace, put_record("a", 2, 2, 1)) == Error::ok);
  CHECK(apply(keyspace, tombstone_record("a", 2, 1)) == Error::ok);
  CHECK(apply(keyspace, tombstone_record("b", 2, 1)) == Error::backend_corrupt);
}

TEST_CASE("nothing is applied over staged writes") {
  Workbench bench;
  bench.stage_put("k", "v");
  CHECK(apply(bench.keyspace(), put_record("a", 2, 2, 1)) == Error::backend_corrupt);
}

TEST_CASE("the revision moves forward only") {
  Keyspace keyspace;
  keyspace.advance_to(Revision(9));
  keyspace.advance_to(Revision(4));
  CHECK(keyspace.visible_revision() == Revision(9));
  CHECK(apply(keyspace, put_record("k", 9, 9, 1)) == Error::ok);
  CHECK(apply(keyspace, put_record("l", 8, 8, 1)) == Error::backend_corrupt);
}

TEST_CASE("leases come back with the keys") {
  Keyspace keyspace;
  Record record = put_record("k", 2, 2, 1);
  record.lease = LeaseId(7);
  REQUIRE(apply(keyspace, record) == Error::ok);
  CHECK(keyspace.leased_keys(LeaseId(7)) == std::vector<std::string>{"k"});
  REQUIRE(apply(keyspace, put_record("k", 3, 2, 2)) == Error::ok);
  CHECK(keyspace.leased_keys(LeaseId(7)).empty());
}

TEST_CASE("a log that has lost records keeps no hash from before its compaction") {
  Keyspace keyspace;
  REQUIRE(apply(keyspace, put_record("k", 5, 2, 4)) == Error::ok);
  REQUIRE(apply(keyspace, put_record("k", 6, 2, 5)) == Error::ok);
  keyspace.set_compact_revision(Revision(5), false);
  std::vector<RecordId> dropped;
  REQUIRE(keyspace.compact_step(10, &dropped).done);
  CHECK(keyspace.hash_kv(Revision(5))->compact_revision == Revision(5));
  keyspace.set_compact_revision(Revision(6));
  REQUIRE(keyspace.compact_step(10, &dropped).done);
  CHECK(keyspace.hash_kv(Revision(6))->compact_revision == Revision(5));
}

}  // namespace
}  // namespace lattice::keyspace
