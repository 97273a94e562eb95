// The conformance suite of replica::Log: what log-protocol.md section P asks of every backend. Each
// backend's test file calls run_log_suite with a way to make a fresh, empty world.
#pragma once

#include "backends/log_world.h"
#include "replica/record_bytes.h"

namespace lattice::backends {

using MakeWorld = std::function<std::unique_ptr<LogWorld>()>;

namespace suite {

using replica::AppendOutcome;

inline void positions(LogWorld& world) {
  auto log = world.open_log("a");
  Chain chain(log->id());
  CHECK(head(world, *log).newest.seq == Seq(0));
  CHECK(look(world, *log, Seq(1)).newest == Seq(0));

  auto first = must_append(world, *log, chain, {takeover_record(1, 1, incarnation_of(1))});
  auto second = must_append(world, *log, chain, {put_record(2, "k", "v"), put_record(3, "l", "")});
  auto empty = must_append(world, *log, chain, {});

  const auto newest = head(world, *log);
  CHECK(same_header(newest.newest, empty->header));
  CHECK(newest.epoch == Epoch(1));
  CHECK(newest.leader == incarnation_of(1));
  const auto seen = look(world, *log, Seq(2));
  REQUIRE(seen.header.has_value());
  CHECK(same_header(*seen.header, second->header));
  CHECK(seen.oldest == Seq(1));
  CHECK(seen.newest == Seq(3));
  CHECK_FALSE(look(world, *log, Seq(4)).header.has_value());
}

inline void rejections(LogWorld& world) {
  auto log = world.open_log("a");
  Chain mine(log->id(), 1);
  Chain theirs(log->id(), 2);

  // Two writers at the empty log: one wins.
  auto won = must_append(world, *log, mine, {put_record(2, "k", "mine")});
  auto lost = theirs.next({put_record(2, "k", "theirs")});
  CHECK(append(world, *log, lost).outcome == AppendOutcome::rejected);
  // The right seq behind another history (ABA on the number alone).
  theirs.advance(*lost);
  auto forked = theirs.next({put_record(3, "k", "theirs")});
  CHECK(append(world, *log, forked).outcome == AppendOutcome::rejected);
  // A gap.
  auto second = mine.next({put_record(3, "k", "2")});
  mine.advance(*second);
  auto third = mine.next({put_record(4, "k", "3")});
  CHECK(append(world, *log, third).outcome == AppendOutcome::rejected);
  // The same batch again: rejected, and the look shows that it is there, once.
  CHECK(append(world, *log, second).outcome == AppendOutcome::committed);
  CHECK(append(world, *log, second).outcome == AppendOutcome::rejected);
  CHECK(look(world, *log, Seq(2)).header->id == second->header.id);
  CHECK(append(world, *log, third).outcome == AppendOutcome::committed);
  // Far behind the head, where seq - 1 and its digest exist.
  CHECK(append(world, *log, second).outcome == AppendOutcome::rejected);
  CHECK(append(world, *log, won).outcome == AppendOutcome::rejected);
  CHECK(load(world, *log, Seq(0)).size() == 3);
}

inline void every_field_survives(LogWorld& world) {
  auto log = world.open_log("a");
  Chain chain(log->id());
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes.push_back(static_cast<char>(i));
  keyspace::Record put = put_record(INT64_MAX, all_bytes, std::string(300'000, '\x80'));
  put.create_revision = Revision(INT64_MAX - 1);
  put.version = INT64_MAX;
  put.lease = LeaseId(INT64_MIN);
  put.number = -1;
  put.sub = INT32_MAX;
  keyspace::Record tombstone;
  tombstone.kind = keyspace::RecordKind::tombstone;
  tombstone.revision = Revision(7);
  tombstone.key = Bytes::literal(std::string_view("\0", 1));
  keyspace::Record grant;
  grant.kind = keyspace::RecordKind::lease_grant;
  grant.lease = LeaseId(-5);
  grant.number = 9'000'000'000;
  auto batch = must_append(world, *log, chain, {put, tombstone, grant});

  const auto loaded = load(world, *log, Seq(0));
  REQUIRE(loaded.size() == 1);
  REQUIRE(loaded[0].header.has_value());
  CHECK(same_header(*loaded[0].header, batch->header));
  CHECK(loaded[0].seq == Seq(1));
  CHECK(loaded[0].indexes == std::vector<uint32_t>{0, 1, 2});
  // The digest of what came back is the digest that was stored: byte for byte the same.
  CHECK(compute_digest(log->id(), *loaded[0].header, loaded[0].records) == batch->header.digest);
}

inline void loads_in_order(LogWorld& world) {
  auto log = world.open_log("a");
  auto other = world.open_log("b");
  Chain chain(log->id());
  Chain others(other->id());
  constexpr int batches = 50;
  int64_t revision = 1;
  for (int i = 0; i < batches; ++i) {
    std::vector<keyspace::Record> records;
    for (int k = 0; k < i * 7 % 40; ++k) {
      ++revision;
      records.push_back(put_record(revision, "key" + std::to_string(k), std::string(k * 10, 'x')));
    }
    must_append(world, *log, chain, std::move(records));
    // Another tenant's batches lie between them and stay out of sight.
    must_append(world, *other, others, {put_record(i + 2, "other", "tenant")});
  }
  const auto loaded = load(world, *log, Seq(0));
  REQUIRE(loaded.size() == batches);
  Digest previous{};
  for (size_t i = 0; i < loaded.size(); ++i) {
    REQUIRE(loaded[i].header.has_value());
    CHECK(loaded[i].seq == Seq(i + 1));
    CHECK(loaded[i].header->previous == previous);
    CHECK(loaded[i].records.size() == loaded[i].header->record_count);
    previous = loaded[i].header->digest;
    CHECK(compute_digest(log->id(), *loaded[i].header, loaded[i].records) == previous);
  }
  const auto tail = load(world, *log, Seq(48));
  REQUIRE(tail.size() == 2);
  CHECK(tail[0].seq == Seq(49));
  CHECK(load(world, *log, Seq(50)).empty());
}

inline void removes_and_trims(LogWorld& world) {
  auto log = world.open_log("a");
  auto other = world.open_log("b");
  Chain chain(log->id());
  Chain others(other->id());
  std::vector<keyspace::RecordId> doomed;
  for (uint64_t seq = 1; seq <= 20; ++seq) {
    must_append(world, *log, chain,
                {put_record(static_cast<int64_t>(seq) * 2, "a", "1"),
                 put_record(static_cast<int64_t>(seq) * 2 + 1, "b", "2")});
    must_append(world, *other, others, {put_record(static_cast<int64_t>(seq) + 1, "a", "1")});
    doomed.push_back({Seq(seq), 0});
    if (seq != 10) doomed.push_back({Seq(seq), 1});
  }
  const auto remove = [&] {
    return await_status(world, [&](StatusCallback done) { log->remove(doomed, std::move(done)); });
  };
  CHECK(remove().ok());
  CHECK(remove().ok());  // harmless
  auto loaded = load(world, *log, Seq(0));
  REQUIRE(loaded.size() == 20);
  CHECK(loaded[0].records.empty());
  REQUIRE(loaded[9].records.size() == 1);
  CHECK(loaded[9].indexes[0] == 1);
  CHECK(loaded[9].records[0].key.view() == "b");

  const auto trim = [&](uint64_t below) {
    return await_status(world,
                        [&](StatusCallback done) { log->trim(Seq(below), std::move(done)); });
  };
  CHECK(trim(15).ok());
  loaded = load(world, *log, Seq(0));
  REQUIRE(loaded.size() == 7);
  CHECK(loaded[0].seq == Seq(10));
  CHECK(loaded[1].seq == Seq(15));
  CHECK(trim(1000).ok());
  loaded = load(world, *log, Seq(0));
  REQUIRE(loaded.size() == 2);
  CHECK(loaded[1].seq == Seq(20));  // never the newest
  const auto seen = look(world, *log, Seq(3));
  CHECK_FALSE(seen.header.has_value());
  CHECK(seen.oldest == Seq(10));
  // The log goes on behind the trimmed part.
  CHECK(append(world, *log, chain.next({put_record(100, "c", "")})).outcome ==
        AppendOutcome::committed);
  CHECK(load(world, *other, Seq(0)).size() == 20);
}

// A late resubmission finds its predecessor alive and its own header trimmed: still rejected.
inline void trimmed_is_not_free(LogWorld& world) {
  auto log = world.open_log("a");
  Chain chain(log->id());
  must_append(world, *log, chain, {put_record(2, "keep", "1")});
  auto late = must_append(world, *log, chain, {put_record(3, "gone", "1")});
  must_append(world, *log, chain, {put_record(4, "gone", "2")});
  CHECK(await_status(world, [&](StatusCallback done) {
          log->remove({{Seq(2), 0}}, std::move(done));
        }).ok());
  CHECK(await_status(world, [&](StatusCallback done) { log->trim(Seq(3), std::move(done)); }).ok());
  REQUIRE_FALSE(look(world, *log, Seq(2)).header.has_value());
  CHECK(append(world, *log, late).outcome == AppendOutcome::rejected);
}

inline void housekeeping(LogWorld& world) {
  auto log = world.open_log("a");
  Chain chain(log->id());
  must_append(world, *log, chain, {put_record(2, "a", std::string(100'000, 'x'))});
  CHECK(await_status(world, [&](StatusCallback done) { log->barrier(std::move(done)); }).ok());
  std::optional<Result<replica::LogSize>> size;
  log->size([&](Result<replica::LogSize> reply) { size = std::move(reply); });
  auto result = await(world, size);
  REQUIRE(result.ok());
  CHECK(result->in_use_bytes >= 100'000);
  CHECK(result->allocated_bytes >= result->in_use_bytes);
  CHECK(await_status(world, [&](StatusCallback done) { log->defragment(std::move(done)); }).ok());
  CHECK(load(world, *log, Seq(0)).size() == 1);
}

inline void destroyed_log_stays_silent(LogWorld& world) {
  auto log = world.open_log("a");
  Chain chain(log->id());
  bool called = false;
  log->append(chain.next({put_record(2, "a", "1")}), [&](replica::AppendReply) { called = true; });
  log->load(
      Seq(0), [&](replica::Log::LoadedBatch) { called = true; }, [&](Status) { called = true; });
  log.reset();
  auto again = world.open_log("a");
  (void)head(world, *again);
  for (int i = 0; i < 20; ++i) world.turn();
  CHECK_FALSE(called);
}

}  // namespace suite

inline void run_log_suite(const MakeWorld& make) {
  auto world = make();
  SUBCASE("positions") { suite::positions(*world); }
  SUBCASE("rejections") { suite::rejections(*world); }
  SUBCASE("every field survives") { suite::every_field_survives(*world); }
  SUBCASE("loads in order") { suite::loads_in_order(*world); }
  SUBCASE("removes and trims") { suite::removes_and_trims(*world); }
  SUBCASE("trimmed is not free") { suite::trimmed_is_not_free(*world); }
  SUBCASE("housekeeping") { suite::housekeeping(*world); }
  SUBCASE("destroyed log stays silent") { suite::destroyed_log_stays_silent(*world); }
}

}  // namespace lattice::backends
