// Puts, deletes and ranges as single clients see them (etcd-v3.md 1.2 and 1.4).
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

}  // namespace
}  // namespace lattice::keyspace
