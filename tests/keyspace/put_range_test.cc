// Puts and deletes, staged, committed and rolled back, with and without leases
// (etcd-v3.md 1.4, 1.8).
#include <doctest/doctest.h>

#include "keyspace/workbench.h"

namespace lattice::keyspace {
namespace {

TEST_CASE("an empty store is at revision 1 and was never compacted") {
  Workbench bench;
  CHECK(bench.keyspace().visible_revision() == Revision(1));
  CHECK(bench.keyspace().compact_revision() == Revision(-1));
  CHECK(bench.range("a").header_revision == Revision(1));
}

TEST_CASE("a put takes the next revision and counts versions") {
  Workbench bench;
  CHECK(bench.put("k", "v1").header_revision == Revision(2));
  CHECK(bench.put("k", "v2").header_revision == Revision(3));
  const KvRef kv = bench.get("k");
  REQUIRE(kv);
  CHECK(kv->value() == "v2");
  CHECK(kv->create_revision() == Revision(2));
  CHECK(kv->mod_revision() == Revision(3));
  CHECK(kv->version() == 2);
}

TEST_CASE("version and create revision start again after a delete") {
  Workbench bench;
  bench.put("k", "v1");
  bench.remove("k");
  CHECK(bench.put("k", "v2").header_revision == Revision(4));
  const KvRef kv = bench.get("k");
  CHECK(kv->create_revision() == Revision(4));
  CHECK(kv->version() == 1);
}

TEST_CASE("staged writes are invisible until they are committed") {
  Workbench bench;
  bench.put("k", "old");
  bench.stage_put("k", "new");
  bench.stage_put("other", "new");
  CHECK(bench.get("k")->value() == "old");
  CHECK(bench.range_all().count == 1);
  CHECK(bench.keyspace().staged_revision() == Revision(4));
  bench.commit();
  CHECK(bench.get("k")->value() == "new");
  CHECK(bench.range_all().count == 2);
}

TEST_CASE("rolled back writes never were") {
  Workbench bench;
  bench.put("k", "old");
  bench.stage_put("k", "new");
  bench.stage_put("fresh", "new");
  bench.rollback();
  CHECK(bench.keyspace().staged_revision() == Revision(2));
  CHECK(bench.put("k", "next").header_revision == Revision(3));
  CHECK(bench.get("k")->version() == 2);
  CHECK(bench.range_all().count == 1);
}

TEST_CASE("prev_kv is what was there, and nothing for a new key") {
  Workbench bench;
  CHECK_FALSE(bench.put("k", "1").prev);
  CHECK(bench.put("k", "2").prev->value() == "1");
  const DeleteRangeResult removed = bench.remove("k");
  REQUIRE(removed.prevs.size() == 1);
  CHECK(removed.prevs[0]->value() == "2");
  CHECK_FALSE(bench.put("k", "3").prev);
}

TEST_CASE("deleting nothing takes no revision") {
  Workbench bench;
  bench.put("k", "v");
  const DeleteRangeResult result = bench.remove("x", "z");
  CHECK(result.deleted == 0);
  CHECK(result.header_revision == Revision(2));
  CHECK(bench.keyspace().visible_revision() == Revision(2));
}

TEST_CASE("deleting an interval takes one revision and goes in key order") {
  Workbench bench;
  for (const char* key : {"c", "a", "b", "z"}) bench.put(key, "");
  const DeleteRangeResult result = bench.remove("a", "d");
  CHECK(result.deleted == 3);
  CHECK(result.header_revision == Revision(6));
  REQUIRE(result.prevs.size() == 3);
  CHECK(result.prevs[0]->key() == "a");
  CHECK(result.prevs[2]->key() == "c");
  CHECK(bench.keyspace().key_count() == 1);
}

TEST_CASE("ignore_value keeps the value and ignore_lease the lease") {
  Workbench bench;
  bench.leases() = {LeaseId(1), LeaseId(2)};
  bench.put("k", "v", LeaseId(1));
  PutRequest request;
  request.key = "k";
  request.ignore_value = true;
  request.lease = LeaseId(2);
  REQUIRE(bench.try_put(request).ok());
  bench.commit();
  CHECK(bench.get("k")->value() == "v");
  CHECK(bench.get("k")->lease() == LeaseId(2));
  request = PutRequest();
  request.key = "k";
  request.value = "w";
  request.ignore_lease = true;
  REQUIRE(bench.try_put(request).ok());
  bench.commit();
  CHECK(bench.get("k")->value() == "w");
  CHECK(bench.get("k")->lease() == LeaseId(2));
}

TEST_CASE("refused puts stage nothing") {
  Workbench bench;
  PutRequest request;
  request.key = "k";
  request.lease = LeaseId(9);
  CHECK(bench.try_put(request).error() == Error::lease_not_found);
  request.lease = LeaseId(0);
  request.ignore_value = true;
  CHECK(bench.try_put(request).error() == Error::key_not_found);
  CHECK(bench.records().empty());
  CHECK(bench.keyspace().staged_revision() == Revision(1));
}

TEST_CASE("records say what the log must remember") {
  Workbench bench;
  bench.leases() = {LeaseId(4)};
  bench.put("k", "1");
  bench.stage_put("k", "2", LeaseId(4));
  REQUIRE(bench.records().size() == 1);
  const Record& record = bench.records()[0];
  CHECK(record.kind == RecordKind::put);
  CHECK(record.revision == Revision(3));
  CHECK(record.sub == 0);
  CHECK(record.key.view() == "k");
  CHECK(record.value.view() == "2");
  CHECK(record.create_revision == Revision(2));
  CHECK(record.version == 2);
  CHECK(record.lease == LeaseId(4));
  const Keyspace::Stage stage = bench.stage();
  REQUIRE(bench.keyspace().stage_delete_range({{"k", ""}, false}, stage).ok());
  const Record& tombstone = bench.records()[1];
  CHECK(tombstone.kind == RecordKind::tombstone);
  CHECK(tombstone.revision == Revision(4));
  CHECK(tombstone.key.view() == "k");
  CHECK(tombstone.value.empty());
}

TEST_CASE("records and their versions share one block") {
  Workbench bench;
  bench.stage_put("k", "value");
  const char* value = bench.records()[0].value.data();
  bench.keyspace().commit(bench.keyspace().staged_revision());
  CHECK(bench.get("k")->value().data() == value);
}

TEST_CASE("versions know their place in the log") {
  Workbench bench;
  bench.stage_put("a", "");
  bench.stage_put("b", "");
  bench.commit();
  bench.put("c", "");
  CHECK(bench.get("b")->id() == RecordId{Seq(1), 1});
  CHECK(bench.get("c")->id() == RecordId{Seq(2), 0});
}

TEST_CASE("a key hangs on the lease it was put with last") {
  Workbench bench;
  bench.leases() = {LeaseId(1), LeaseId(2)};
  using Keys = std::vector<std::string>;
  bench.put("b", "", LeaseId(1));
  bench.put("a", "", LeaseId(1));
  CHECK(bench.keyspace().leased_keys(LeaseId(1)) == Keys{"a", "b"});
  bench.put("a", "", LeaseId(2));
  bench.put("b", "");
  CHECK(bench.keyspace().leased_keys(LeaseId(1)).empty());
  CHECK(bench.keyspace().leased_keys(LeaseId(2)) == Keys{"a"});
  bench.remove("a");
  CHECK(bench.keyspace().leased_keys(LeaseId(2)).empty());
}

TEST_CASE("staged attachments count, and go with a rollback") {
  Workbench bench;
  bench.leases() = {LeaseId(1), LeaseId(2)};
  bench.put("k", "", LeaseId(1));
  bench.stage_put("k", "", LeaseId(2));
  CHECK(bench.keyspace().leased_keys(LeaseId(1)).empty());
  CHECK(bench.keyspace().leased_keys(LeaseId(2)).size() == 1);
  bench.rollback();
  CHECK(bench.keyspace().leased_keys(LeaseId(1)).size() == 1);
  CHECK(bench.keyspace().leased_keys(LeaseId(2)).empty());
}

TEST_CASE("revoking deletes the lease's keys in one revision, in key order") {
  Workbench bench;
  bench.leases() = {LeaseId(1)};
  for (const char* key : {"c", "a", "b"}) bench.put(key, "", LeaseId(1));
  bench.put("free", "");
  bench.keyspace().stage_delete_leased(LeaseId(1), bench.stage());
  REQUIRE(bench.records().size() == 3);
  CHECK(bench.records()[0].key.view() == "a");
  CHECK(bench.records()[2].key.view() == "c");
  CHECK(bench.records()[2].revision == Revision(6));
  bench.commit();
  CHECK(bench.range_all().count == 1);
  bench.revoke(LeaseId(1));
  CHECK(bench.keyspace().visible_revision() == Revision(6));
}

}  // namespace
}  // namespace lattice::keyspace
