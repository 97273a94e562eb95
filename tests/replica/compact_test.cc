// Compaction, in memory and in the log.
#include "replica/fixture.h"

namespace lattice::replica {
namespace {

struct Compacting : Fixture {
  using Fixture::Fixture;
  // The records that the log still has.
  size_t stored_records() {
    auto log = store.open_log("default", environment);
    size_t records = 0;
    bool done = false;
    log->load(
        Seq(0), [&](Log::LoadedBatch batch) { records += batch.records.size(); },
        [&](const Status&) { done = true; });
    run_until([&] { return done; });
    return records;
  }
  uint32_t hash(int64_t revision) {
    Answer<keyspace::HashResult> answer;
    replica->hash_kv(Revision(revision), answer.callback());
    return wait(answer)->hash;
  }
};

}  // namespace

TEST_CASE("compact refuses as etcd does, and answers the current revision") {
  Compacting f;
  f.start();
  for (int i = 0; i < 10; ++i) REQUIRE(f.put("a", std::to_string(i)).ok());
  CHECK(f.compact(12).error() == Error::future_revision);
  CHECK(*f.compact(5) == Revision(11));
  CHECK(f.compact(5).error() == Error::compacted);
  CHECK(f.get("a", "", 4).error() == Error::compacted);
  CHECK(f.get("a", "", 5)->kvs.at(0)->value() == "3");
}

TEST_CASE("two compactions in one batch: the second sees the first") {
  Compacting f;
  f.start();
  for (int i = 0; i < 10; ++i) REQUIRE(f.put("a", std::to_string(i)).ok());
  Answer<Revision> first;
  Answer<Revision> second;
  f.replica->compact(Revision(5), false, first.callback());
  f.replica->compact(Revision(5), false, second.callback());
  CHECK(f.wait(first).ok());
  CHECK(f.wait(second).error() == Error::compacted);
}

TEST_CASE("a physical compaction has deleted the superseded records when it answers") {
  Compacting f;
  f.start();
  for (int i = 0; i < 100; ++i) REQUIRE(f.put("k" + std::to_string(i % 10), "v").ok());
  CHECK(f.stored_records() == 101);
  const uint32_t before = f.hash(101);
  REQUIRE(f.compact(101, true).ok());
  CHECK(f.stored_records() == 10 + 3);  // the takeover, compact and compact_done
  CHECK(f.hash(101) == before);
  // And what is left loads.
  f.replica.reset();
  f.start();
  CHECK(f.replica->applied_revision() == Revision(101));
  CHECK(f.get("k", "l")->count == 10);
  CHECK(f.get("k0", "", 100).error() == Error::compacted);
}

TEST_CASE("an unfinished compaction is finished by the next leader") {
  Compacting f;
  f.start();
  for (int i = 0; i < 100; ++i) REQUIRE(f.put("k" + std::to_string(i % 10), "v").ok());
  REQUIRE(f.compact(101).ok());
  f.replica.reset();  // the sweep has not begun
  f.start();
  f.run_for(std::chrono::seconds(1));
  // Both takeovers: the second came after the compaction.
  CHECK(f.stored_records() == 10 + 2 + 2);
}

TEST_CASE("leases that are gone leave no records behind") {
  Compacting f;
  f.start();
  REQUIRE(f.put("a", "v").ok());
  for (int i = 1; i <= 20; ++i) REQUIRE(f.grant(i, 100).ok());
  for (int i = 1; i <= 19; ++i) {
    Answer<Revision> answer;
    f.replica->lease_revoke(LeaseId(i), answer.callback());
    REQUIRE(f.wait(answer).ok());
  }
  REQUIRE(f.compact(2, true).ok());
  CHECK(f.stored_records() == 1 + 1 + 3);  // the key, the lease that lives, and the log's own
  f.replica.reset();
  f.start();
  CHECK(f.grant(20, 100).error() == Error::lease_exists);
  CHECK(f.grant(19, 100).ok());
}

TEST_CASE("auto-compaction keeps one period of history") {
  Options options;
  options.auto_compaction = AutoCompaction::periodic;
  options.auto_compaction_period = std::chrono::minutes(10);
  Compacting f(options);
  f.start();
  for (int i = 0; i < 9; ++i) {
    REQUIRE(f.put("a", "v").ok());
    f.run_for(std::chrono::minutes(1));
  }
  CHECK(f.get("a", "", 2).ok());
  f.run_for(std::chrono::minutes(6));
  CHECK(f.get("a", "", 1).error() == Error::compacted);
  CHECK(f.get("a", "", 10).ok());
}

TEST_CASE("auto-compaction keeps a number of revisions") {
  Options options;
  options.auto_compaction = AutoCompaction::revision;
  options.auto_compaction_revisions = 5;
  Compacting f(options);
  f.start();
  for (int i = 0; i < 20; ++i) REQUIRE(f.put("a", "v").ok());
  f.run_for(std::chrono::minutes(6));
  CHECK(f.get("a", "", 15).error() == Error::compacted);
  CHECK(f.get("a", "", 16).ok());
}

}  // namespace lattice::replica
