// Compaction (etcd-v3.md 1.6, reliability.md C) and the history that watches read.
#include <doctest/doctest.h>

#include "keyspace/txn_builder.h"
#include "keyspace/workbench.h"

namespace lattice::keyspace {
namespace {

// "put k@5" for each version visible from `from` on.
std::vector<std::string> history(Workbench& bench, int64_t from) {
  std::vector<std::string> events;
  bench.keyspace().visit_history(Revision(from), [&](const KvRef& version) {
    events.push_back((version->tombstone() ? "delete " : "put ") + std::string(version->key()) +
                     "@" + std::to_string(version->mod_revision().value));
    return true;
  });
  return events;
}

using Events = std::vector<std::string>;

TEST_CASE("which revisions can be compacted") {
  Workbench bench;
  bench.put("k", "v");
  CHECK(bench.keyspace().check_compact(Revision(-1)) == Error::compacted);
  CHECK(bench.keyspace().check_compact(Revision(0)).ok());
  CHECK(bench.keyspace().check_compact(Revision(2)).ok());
  CHECK(bench.keyspace().check_compact(Revision(3)) == Error::future_revision);
  bench.compact(Revision(0));
  CHECK(bench.keyspace().check_compact(Revision(0)) == Error::compacted);
  bench.compact(Revision(2));
  CHECK(bench.keyspace().check_compact(Revision(2)) == Error::compacted);
  CHECK(bench.keyspace().compact_revision() == Revision(2));
}

TEST_CASE("each key keeps its newest version, and a tombstone only at the compact revision") {
  Workbench bench;
  bench.put("a", "1");    // 2
  bench.put("a", "2");    // 3
  bench.put("old", "1");  // 4
  bench.remove("old");    // 5
  bench.put("new", "1");  // 6
  bench.remove("new");    // 7
  bench.put("a", "3");    // 8
  bench.compact(Revision(7));
  // The batches are 1 to 7, one record each: 1 is a@2, 3 and 4 are old, 5 is new's put.
  std::vector<uint64_t> dropped;
  for (const RecordId& id : bench.dropped()) dropped.push_back(id.seq.value);
  CHECK(dropped == std::vector<uint64_t>{1, 3, 4, 5});
  CHECK(history(bench, 7) == Events{"delete new@7", "put a@8"});
  CHECK(bench.get("a", Revision(7))->value() == "2");
  bench.compact(Revision(8));
  CHECK(history(bench, 8) == Events{"put a@8"});
  CHECK(bench.dropped().size() == 6);
}

TEST_CASE("reads and watches are cut off at once, memory comes back step by step") {
  Workbench bench;
  for (int i = 0; i < 10; ++i) bench.put("k", std::string(1000, 'x'));
  const size_t before = bench.keyspace().memory_bytes();
  bench.keyspace().set_compact_revision(Revision(11));
  RangeRequest request = range("k");
  request.revision = Revision(10);
  CHECK(bench.keyspace().range(request).error() == Error::compacted);
  CHECK(history(bench, 11) == Events{"put k@11"});
  std::vector<RecordId> dropped;
  CHECK_FALSE(bench.keyspace().compact_step(3, &dropped).done);
  CHECK(dropped.size() == 3);
  while (!bench.keyspace().compact_step(3, &dropped).done) {
  }
  CHECK(dropped.size() == 9);
  CHECK(bench.keyspace().memory_bytes() < before / 5);
}

TEST_CASE("writes go on between the steps") {
  Workbench bench;
  for (int i = 0; i < 5; ++i) bench.put("k" + std::to_string(i), "1");
  for (int i = 0; i < 5; ++i) bench.put("k" + std::to_string(i), "2");
  bench.keyspace().set_compact_revision(Revision(11));
  std::vector<RecordId> dropped;
  (void)bench.keyspace().compact_step(2, &dropped);
  bench.put("k4", "3");
  bench.remove("k0");
  while (!bench.keyspace().compact_step(2, &dropped).done) {
  }
  CHECK(dropped.size() == 5);
  CHECK(bench.get("k4")->version() == 3);
  CHECK(bench.get("k0", Revision(11))->value() == "2");
  CHECK(history(bench, 12) == Events{"put k4@12", "delete k0@13"});
}

TEST_CASE("the hash does not depend on the size of the steps or on later writes") {
  const auto hash = [](size_t step_size, bool write) {
    Workbench bench;
    for (int i = 0; i < 20; ++i) bench.put("k" + std::to_string(i % 7), std::to_string(i));
    bench.keyspace().set_compact_revision(Revision(18));
    std::vector<RecordId> dropped;
    Keyspace::CompactStep step;
    while (!step.done) {
      step = bench.keyspace().compact_step(step_size, &dropped);
      if (write) bench.put("k0", "more");
    }
    return step.hash;
  };
  CHECK(hash(1, false) == hash(100, false));
  CHECK(hash(1, true) == hash(100, false));
}

TEST_CASE("a compaction overtaken by the next leaves what the next would") {
  Workbench bench;
  for (int i = 0; i < 20; ++i) bench.put("k" + std::to_string(i % 3), std::to_string(i));
  bench.compact(Revision(8));
  bench.keyspace().set_compact_revision(Revision(12));
  (void)bench.keyspace().compact_step(1, &bench.dropped());
  const uint32_t hash = bench.compact(Revision(20));
  CHECK(bench.dropped().size() == 16);
  CHECK(bench.keyspace().hash_kv(Revision(20)).ok());
  Workbench direct;
  for (int i = 0; i < 20; ++i) direct.put("k" + std::to_string(i % 3), std::to_string(i));
  CHECK(direct.compact(Revision(20)) == hash);
}

TEST_CASE("a put that its own revision deleted is not watched at the compact revision") {
  Workbench bench;
  Txn puts;
  puts.then(put("k", "v"));
  Txn deletes;
  deletes.then(remove("k"));
  REQUIRE(bench.txn(Txn().then(puts).then(deletes).request()).ok());
  CHECK(history(bench, 2) == Events{"put k@2", "delete k@2"});
  bench.keyspace().set_compact_revision(Revision(2));
  CHECK(history(bench, 2) == Events{"delete k@2"});
  (void)bench.keyspace().compact_step(100, &bench.dropped());
  CHECK(history(bench, 2) == Events{"delete k@2"});
  CHECK(bench.dropped().size() == 1);
}

TEST_CASE("prev_kv is gone with the revision that it stood in") {
  Workbench bench;
  bench.put("k", "1");
  bench.put("k", "2");
  bench.put("k", "3");
  const KvRef second = bench.get("k", Revision(3));
  const KvRef third = bench.get("k");
  CHECK(bench.keyspace().previous(*second)->value() == "1");
  CHECK_FALSE(bench.keyspace().previous(*bench.get("k", Revision(2))));
  bench.keyspace().set_compact_revision(Revision(3));
  CHECK_FALSE(bench.keyspace().previous(*second));
  CHECK(bench.keyspace().previous(*third)->value() == "2");
}

TEST_CASE("the history is visited until the visitor has enough") {
  Workbench bench;
  for (int i = 0; i < 10; ++i) bench.put("k", "");
  int seen = 0;
  bench.keyspace().visit_history(Revision(4), [&](const KvRef& version) {
    CHECK(version->mod_revision() == Revision(4 + seen));
    return ++seen < 3;
  });
  CHECK(seen == 3);
}

TEST_CASE("a hot key with very many versions is compacted in linear time") {
  Workbench bench;
  for (int i = 0; i < 200000; ++i) bench.put("k", "");
  bench.keyspace().set_compact_revision(Revision(200001));
  // Moving the rest for each version dropped would take minutes here.
  while (!bench.keyspace().compact_step(1000, &bench.dropped()).done) {
  }
  CHECK(bench.dropped().size() == 199999);
  CHECK(bench.get("k")->version() == 200000);
}

}  // namespace
}  // namespace lattice::keyspace
