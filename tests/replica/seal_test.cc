// The end of a log whose tenant moves to another database (log-protocol H4, docs/decisions/0020).
#include "replica/takeover.h"

#include <doctest/doctest.h>

#include "replica/log_reader.h"
#include "replica/pair.h"
#include "replica/record_bytes.h"

namespace lattice::replica {
namespace {

const Seal to_b{"b", 3};

std::vector<Log::LoadedBatch> batches_of(Pair& pair, std::string_view tenant) {
  const std::unique_ptr<Log> log = pair.store.open_log(tenant, pair.environment);
  std::vector<Log::LoadedBatch> all;
  bool done = false;
  log->load(
      Seq(0), [&](Log::LoadedBatch batch) { all.push_back(std::move(batch)); },
      [&](const Status& status) { done = status.ok(); });
  pair.run_until([&] { return done; });
  return all;
}

Status seal(Pair& pair, Replica& replica) {
  std::optional<Status> sealed;
  replica.seal(to_b, [&](const Status& status) { sealed = status; });
  pair.run_until([&] { return sealed.has_value(); });
  return *sealed;
}

// What a statement needs that makes or reads batches without a replica.
struct Loose {
  Loose(Pair& pair, std::string_view tenant)
      : log(pair.store.open_log(tenant, pair.environment)),
        state(options, pair.environment, *log, silent) {}
  Options options;
  Observer silent;
  std::unique_ptr<Log> log;
  State state;
};

TEST_CASE("nothing follows a seal, and nobody leads behind it") {
  Pair pair;
  Pair::Node& leader = *pair.leader();
  REQUIRE(pair.put(leader, "a").ok());
  CHECK(seal(pair, *pair.standby().replica).error() == Error::not_leader);
  CHECK(seal(pair, *leader.replica).ok());
  const size_t count = batches_of(pair, "default").size();
  const Log::LoadedBatch last = batches_of(pair, "default").back();
  CHECK(find_seal(last.records) == to_b);
  CHECK(last.header->incarnation == Incarnation{});

  CHECK_FALSE(pair.put(leader, "b").ok());
  pair.world.run_for(std::chrono::seconds(10));
  CHECK(pair.leader() == nullptr);
  CHECK(seal(pair, *leader.replica).ok());  // asked again: it is
  // A process that ends says nothing more in this log.
  CHECK(pair.stop(*leader.replica).ok());
  CHECK(batches_of(pair, "default").size() == count);
}

TEST_CASE("what was asked before the seal is in front of it") {
  Pair pair;
  Replica& replica = *pair.leader()->replica;
  std::vector<Answer<keyspace::PutResult>> answers(20);
  for (size_t i = 0; i < answers.size(); ++i) {
    replica.put(put_request("k" + std::to_string(i), "v"), answers[i].callback());
  }
  CHECK(seal(pair, replica).ok());
  for (auto& answer : answers) {
    REQUIRE(answer.given());
    CHECK((*answer).ok());
  }
  CHECK(find_seal(batches_of(pair, "default").back().records).has_value());
}

TEST_CASE("a log that goes on behind its seal is broken") {
  Pair pair;
  Loose writer(pair, "other");
  BatchHeader tip;
  for (const bool ends : {true, false}) {
    std::shared_ptr<const Batch> batch;
    if (ends) {
      batch = make_seal(writer.state, tip, to_b);
    } else {
      const auto takeover = make_takeover(writer.state, tip, Incarnation{1});
      takeover->header.digest =
          compute_digest(writer.log->id(), takeover->header, takeover->records);
      batch = takeover;
    }
    std::optional<AppendOutcome> outcome;
    writer.log->append(batch, [&](const AppendReply& reply) { outcome = reply.outcome; });
    pair.run_until([&] { return outcome.has_value(); });
    REQUIRE(*outcome == AppendOutcome::committed);
    tip = batch->header;
    Loose reading(pair, "other");
    LogReader reader(reading.state, [] {});
    std::optional<Status> read;
    reader.read([&](const Status& status) { read = status; });
    pair.run_until([&] { return read.has_value(); });
    CHECK(read->error() == (ends ? Error::ok : Error::backend_corrupt));
    CHECK(reader.seal() == to_b);
  }
}

TEST_CASE("a copy is read along, and led by nobody until it has arrived") {
  Pair pair;
  Options options;
  options.arriving = true;
  Replica replica(options, pair.environment, pair.store.open_log("copy", pair.environment),
                  Links{.session = &pair.nodes[0].membership->session}, nullptr);
  replica.start();
  pair.world.run_for(std::chrono::seconds(5));
  CHECK(replica.loaded());
  CHECK_FALSE(replica.leads());
  CHECK(batches_of(pair, "copy").empty());
  replica.open();
  pair.run_until([&] { return replica.can_linearize(); });
  CHECK(pair.put(replica, "a").ok());
}

TEST_CASE("a seal is stored as any record, and must name where to") {
  Pair pair;
  Loose writer(pair, "other");
  keyspace::Record record = make_seal(writer.state, {}, to_b)->records.back();
  std::string bytes;
  append_record_bytes(record, &bytes);
  std::string_view rest = bytes;
  const Result<keyspace::Record> read = take_record_bytes(&rest);
  REQUIRE(read.ok());
  CHECK(find_seal({*read}) == to_b);
  record.value = {};
  CHECK(validate_record(record).error() == Error::backend_corrupt);
}

}  // namespace
}  // namespace lattice::replica
