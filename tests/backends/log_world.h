// What the log suite needs from a backend under test, and helpers that build batches.
// Thread: a test's own.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "replica/batch.h"
#include "replica/log.h"

namespace lattice::backends {

class LogWorld {
 public:
  virtual ~LogWorld() = default;
  virtual std::unique_ptr<replica::Log> open_log(std::string_view tenant) = 0;
  // Lets callbacks run; may wait a few milliseconds when there are none.
  virtual void turn() = 0;
};

// Runs the world until `slot` holds a value; fails the test after half a minute.
template <class T>
T await(LogWorld& world, std::optional<T>& slot) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!slot && std::chrono::steady_clock::now() < deadline) world.turn();
  REQUIRE_MESSAGE(slot.has_value(), "no answer");
  return std::move(*slot);
}

inline keyspace::Record put_record(int64_t revision, std::string_view key, std::string_view value) {
  keyspace::Record record;
  record.kind = keyspace::RecordKind::put;
  record.revision = Revision(revision);
  record.key = Bytes::copy(key);
  record.value = Bytes::copy(value);
  record.create_revision = Revision(revision);
  record.version = 1;
  return record;
}

inline keyspace::Record takeover_record(int64_t revision, uint64_t epoch,
                                        const replica::Incarnation& incarnation) {
  keyspace::Record record;
  record.kind = keyspace::RecordKind::takeover;
  record.revision = Revision(revision);
  record.number = static_cast<int64_t>(epoch);
  record.value =
      Bytes::copy({reinterpret_cast<const char*>(incarnation.data()), incarnation.size()});
  return record;
}

inline replica::Incarnation incarnation_of(uint8_t fill) {
  replica::Incarnation incarnation;
  incarnation.fill(fill);
  return incarnation;
}

// Builds the batches of one writer, in order.
class Chain {
 public:
  explicit Chain(const replica::LogId& log, uint8_t writer = 1) : log_(log), writer_(writer) {}

  // The next batch behind `last`; advance(batch) when it is in the log.
  std::shared_ptr<const replica::Batch> next(std::vector<keyspace::Record> records) {
    auto batch = std::make_shared<replica::Batch>();
    batch->header.seq = last_.seq + 1;
    batch->header.previous = last_.digest;
    batch->header.epoch = Epoch(writer_);
    batch->header.incarnation = incarnation_of(writer_);
    batch->header.id[0] = writer_;
    ++batches_made_;
    for (size_t i = 0; i < 4; ++i) {
      batch->header.id[1 + i] = static_cast<uint8_t>(batches_made_ >> (8 * i));
    }
    batch->header.last_revision = records.empty() ? Revision(1) : records.back().revision;
    batch->header.record_count = static_cast<uint32_t>(records.size());
    batch->records = std::move(records);
    batch->header.digest = compute_digest(log_, batch->header, batch->records);
    return batch;
  }
  void advance(const replica::Batch& batch) { last_ = batch.header.position(); }
  const Position& last() const { return last_; }

 private:
  replica::LogId log_;
  uint8_t writer_;
  uint32_t batches_made_ = 0;
  Position last_;
};

// ---- Calls that wait for their answer ----

inline replica::AppendReply append(LogWorld& world, replica::Log& log,
                                   std::shared_ptr<const replica::Batch> batch) {
  std::optional<replica::AppendReply> reply;
  log.append(std::move(batch), [&](replica::AppendReply r) { reply = std::move(r); });
  CHECK_MESSAGE(!reply.has_value(), "called back inside the call");
  return await(world, reply);
}

// Appends behind the chain and advances it; the append must commit.
inline std::shared_ptr<const replica::Batch> must_append(LogWorld& world, replica::Log& log,
                                                         Chain& chain,
                                                         std::vector<keyspace::Record> records) {
  auto batch = chain.next(std::move(records));
  const replica::AppendReply reply = append(world, log, batch);
  REQUIRE_MESSAGE(reply.outcome == replica::AppendOutcome::committed, reply.detail.detail());
  chain.advance(*batch);
  return batch;
}

inline replica::Log::LookReply look(LogWorld& world, replica::Log& log, Seq seq) {
  std::optional<Result<replica::Log::LookReply>> reply;
  log.look(seq, [&](Result<replica::Log::LookReply> r) { reply = std::move(r); });
  auto result = await(world, reply);
  REQUIRE_MESSAGE(result.ok(), result.status().detail());
  return *result;
}

inline replica::LogHead head(LogWorld& world, replica::Log& log) {
  std::optional<Result<replica::LogHead>> reply;
  log.head([&](Result<replica::LogHead> r) { reply = std::move(r); });
  auto result = await(world, reply);
  REQUIRE_MESSAGE(result.ok(), result.status().detail());
  return *result;
}

inline Status await_status(LogWorld& world, const std::function<void(StatusCallback)>& call) {
  std::optional<Status> reply;
  call([&](Status status) { reply = std::move(status); });
  return await(world, reply);
}

// How a load ends; what it brought goes to *batches.
inline Status try_load(LogWorld& world, replica::Log& log, Seq after,
                       std::vector<replica::Log::LoadedBatch>* batches) {
  return await_status(world, [&](StatusCallback done) {
    log.load(
        after, [batches](replica::Log::LoadedBatch batch) { batches->push_back(std::move(batch)); },
        std::move(done));
  });
}

inline std::vector<replica::Log::LoadedBatch> load(LogWorld& world, replica::Log& log, Seq after) {
  std::vector<replica::Log::LoadedBatch> batches;
  const Status status = try_load(world, log, after, &batches);
  REQUIRE_MESSAGE(status.ok(), status.detail());
  return batches;
}

// A log with two puts of one key in two batches, to be loaded after somebody has edited it.
class TwoPuts {
 public:
  explicit TwoPuts(LogWorld& world) : world_(world), log_(world.open_log("a")) {
    Chain chain(log_->id());
    must_append(world_, *log_, chain, {put_record(2, "k", "v")});
    must_append(world_, *log_, chain, {put_record(3, "k", "v")});
  }
  Status load() const {
    std::vector<replica::Log::LoadedBatch> batches;
    return try_load(world_, *log_, Seq(0), &batches);
  }

 private:
  LogWorld& world_;
  std::unique_ptr<replica::Log> log_;
};

inline bool same_header(const replica::BatchHeader& a, const replica::BatchHeader& b) {
  return a.seq == b.seq && a.previous == b.previous && a.digest == b.digest && a.epoch == b.epoch &&
         a.incarnation == b.incarnation && a.id == b.id && a.last_revision == b.last_revision &&
         a.record_count == b.record_count;
}

}  // namespace lattice::backends
