// Writes and reads on an exclusive log.
#include <algorithm>
#include <optional>

#include "replica/fixture.h"

namespace lattice::replica {
namespace {

struct BatchSizes : Observer {
  void on_append_committed(const Append& append) override {
    batches.push_back(append.operations);
    took = append.latency;
  }
  std::vector<size_t> batches;
  Duration took{};
};

// Starts the replica, which tells the observer, and waits until it leads.
void lead(Fixture& f, Observer& observer) {
  f.replica = f.make(nullptr, &observer);
  f.replica->start();
  f.run_until([&] { return f.replica->can_linearize(); });
}

}  // namespace

TEST_CASE("a put is answered after it is durable, and read at its revision") {
  Fixture f;
  f.start();
  const auto put = f.put("a", "1");
  REQUIRE(put.ok());
  CHECK(put->header_revision == Revision(2));
  const auto got = f.get("a");
  REQUIRE(got.ok());
  REQUIRE(got->kvs.size() == 1);
  CHECK(got->kvs[0]->value() == "1");
  CHECK(got->header_revision == Revision(2));
  CHECK(f.replica->applied_revision() == Revision(2));
  CHECK(f.replica->published()->revision == 2);
}

TEST_CASE("the times of an operation are known while its caller is told, and only then") {
  Fixture f;
  f.start();
  std::optional<OperationTimes> times;
  const Instant before = f.environment.now();
  f.replica->put(put_request("a", "1"),
                 [&](const Result<keyspace::PutResult>&) { times = f.replica->times(); });
  f.run_until([&] { return times.has_value(); });
  CHECK(times->asked >= before);
  CHECK(times->submitted >= times->asked);
  CHECK(times->settled >= times->submitted);
  CHECK(times->settled <= f.environment.now());
  CHECK(f.replica->times().asked == Instant::never());
}

TEST_CASE("what one turn of the loop brings is one batch") {
  BatchSizes counter;
  Fixture f;
  lead(f, counter);
  std::vector<Answer<keyspace::PutResult>> answers(100);
  for (size_t i = 0; i < answers.size(); ++i) {
    f.replica->put(put_request("k" + std::to_string(i), "v"), answers[i].callback());
  }
  f.run_until([&] { return answers.back().given(); });
  CHECK(counter.batches == std::vector<size_t>{100});
  for (size_t i = 0; i < answers.size(); ++i) {
    REQUIRE((*answers[i]).ok());
    CHECK((*answers[i])->header_revision == Revision(static_cast<int64_t>(i) + 2));
  }
}

TEST_CASE("a batch is smaller while other tenants want the loop, and no write is lost by that") {
  BatchSizes counter;
  Fixture f;
  lead(f, counter);
  const auto largest_of = [&](double part) {
    f.environment.share(part);
    counter.batches.clear();
    std::vector<Answer<keyspace::PutResult>> answers(1000);
    for (auto& answer : answers) f.replica->put(put_request("k", "v"), answer.callback());
    f.run_until([&] { return answers.back().given(); });
    for (auto& answer : answers) CHECK((*answer).ok());
    return *std::ranges::max_element(counter.batches);
  };
  CHECK(largest_of(1) == 1000);
  CHECK(largest_of(0.5) == 128);
  CHECK(largest_of(0.001) == 16);
}

TEST_CASE("a batch beside other tenants is longer where the database takes long for each") {
  using std::chrono::milliseconds;
  BatchSizes counter;
  Fixture f;
  lead(f, counter);
  f.environment.share(0.5);
  Answer<keyspace::PutResult> slow;
  f.replica->put(put_request("k", "v"), slow.callback());
  REQUIRE(f.world.step(f.world.now() + Duration(milliseconds(1)).count()));
  f.process.pause();
  f.run_for(milliseconds(24));
  f.process.resume();
  REQUIRE(f.wait(slow).ok());
  REQUIRE(counter.took >= milliseconds(24));
  REQUIRE(counter.took < milliseconds(25));
  const auto first_of = [&](size_t puts) {
    counter.batches.clear();
    std::vector<Answer<keyspace::PutResult>> answers(puts);
    for (auto& answer : answers) f.replica->put(put_request("k", "v"), answer.callback());
    f.run_until([&] { return answers.back().given(); });
    return counter.batches.front();
  };
  const size_t longer = first_of(1000);
  CHECK(longer >= 512);
  CHECK(longer < 534);
  // And no longer than usual when that is over.
  CHECK(first_of(1000) == 128);
}

TEST_CASE("a batch is bounded in records and in bytes") {
  BatchSizes counter;
  Options options;
  options.batch_records_max = 10;
  options.batch_bytes_max = 100;
  Fixture f(options);
  lead(f, counter);
  std::vector<Answer<keyspace::PutResult>> answers(25);
  for (size_t i = 0; i < 20; ++i) f.replica->put(put_request("k", "v"), answers[i].callback());
  for (size_t i = 20; i < 25; ++i) {
    f.replica->put(put_request("k", std::string(60, 'x')), answers[i].callback());
  }
  f.run_until([&] { return answers.back().given(); });
  CHECK(counter.batches == std::vector<size_t>{10, 10, 2, 2, 1});
}

TEST_CASE("too many waiting proposals are refused at once") {
  Options options;
  options.proposals_max = 3;
  Fixture f(options);
  f.replica = f.make();
  std::vector<Answer<keyspace::PutResult>> answers(4);
  for (auto& answer : answers) f.replica->put(put_request("k", "v"), answer.callback());
  REQUIRE(answers[3].given());
  CHECK((*answers[3]).error() == Error::too_many_requests);
  CHECK_FALSE(answers[0].given());
  f.replica->start();
  f.run_until([&] { return answers[2].given(); });
  CHECK((*answers[2]).ok());
}

TEST_CASE("an operation that changes nothing is answered without a batch") {
  Fixture f;
  f.start();
  REQUIRE(f.put("a", "1").ok());
  const auto deleted = f.del("nothing");
  REQUIRE(deleted.ok());
  CHECK(deleted->deleted == 0);
  CHECK(deleted->header_revision == Revision(2));
  keyspace::TxnRequest txn;
  keyspace::Compare compare;
  compare.range.key = "a";
  compare.number = 7;
  txn.compares.push_back(compare);
  txn.success.emplace_back(put_request("a", "2"));
  const auto result = f.txn(std::move(txn));
  REQUIRE(result.ok());
  CHECK_FALSE(result->succeeded);
  CHECK(result->header_revision == Revision(2));
}

TEST_CASE("requests that etcd refuses reach no batch") {
  Fixture f;
  f.start();
  CHECK(f.put("", "1").error() == Error::empty_key);
  CHECK(f.put("a", "1", 99).error() == Error::lease_not_found);
  CHECK(f.get("a", "", 50).error() == Error::future_revision);
  CHECK(f.replica->applied_revision() == Revision(1));
}

TEST_CASE("a restarted replica has what was acknowledged") {
  Fixture f;
  f.start();
  for (int i = 0; i < 20; ++i) REQUIRE(f.put("k" + std::to_string(i % 7), std::to_string(i)).ok());
  REQUIRE(f.del("k3").ok());
  Answer<keyspace::HashResult> before;
  f.replica->hash_kv(Revision(0), before.callback());
  f.replica.reset();
  f.start();
  CHECK(f.replica->applied_revision() == Revision(22));
  CHECK(f.replica->epoch() == 2);
  Answer<keyspace::HashResult> after;
  f.replica->hash_kv(Revision(0), after.callback());
  const auto first = f.wait(before);
  const auto second = f.wait(after);
  REQUIRE(first.ok());
  REQUIRE(second.ok());
  CHECK(first->hash == second->hash);
  CHECK(f.get("k0", "l")->count == 6);
}

TEST_CASE("the end of the loading reports the newest revision that was read, shown yet or not") {
  struct Loads : Observer {
    void on_load(const LoadProgress& progress) override { last = progress; }
    LoadProgress last;
  };
  Fixture f;
  Loads fresh;
  f.replica = f.make(nullptr, &fresh);
  f.replica->start();
  f.run_until([&] { return f.replica->can_linearize(); });
  CHECK(fresh.last.done);
  CHECK(fresh.last.revision == Revision(1));
  for (int i = 0; i < 3; ++i) REQUIRE(f.put("a", std::to_string(i)).ok());
  f.replica.reset();
  Loads again;
  f.replica = f.make(nullptr, &again);
  f.replica->start();
  f.run_until([&] { return f.replica->can_linearize(); });
  CHECK(again.last.done);
  CHECK(again.last.batches == 4);
  CHECK(again.last.revision == Revision(4));
}

TEST_CASE("stop answers what waits and then hands over") {
  Fixture f;
  f.start();
  Answer<keyspace::PutResult> put;
  f.replica->put(put_request("a", "1"), put.callback());
  bool stopped = false;
  f.replica->stop([&](const Status&) { stopped = true; });
  f.run_until([&] { return stopped; });
  REQUIRE(put.given());
  CHECK((*put).ok());  // it was accepted before
  CHECK(f.get("a").error() == Error::stopped);
  CHECK(f.put("a", "2").error() == Error::stopped);
}

}  // namespace lattice::replica
