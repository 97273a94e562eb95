// LIN-BOUND (Options::linear_bound): what is refused while something else than the replica's fence
// says no, and what goes on.
#include <algorithm>

#include "replica/fixture.h"

namespace lattice::replica {
namespace {

using Lines = std::vector<std::string>;

struct Bound final : LinearBound {
  Status check(Instant) const override {
    return open ? Status() : Status(Error::linearizability_unavailable, "closed");
  }
  bool open = true;
};

struct Bounded : Fixture {
  Bounded() { options.linear_bound = &bound; }
  Error read(keyspace::RangeRequest request) {
    Answer<keyspace::RangeResult> answer;
    replica->range(std::move(request), answer.callback());
    run_for(std::chrono::milliseconds(1));
    REQUIRE(answer.given());  // at once, whatever it is
    return (*answer).error();
  }
  Error txn(keyspace::TxnRequest request) {
    Answer<keyspace::TxnResult> answer;
    replica->txn(std::move(request), answer.callback());
    return wait(answer).error();
  }
  Bound bound;
};

keyspace::TxnRequest reading(bool serializable) {
  keyspace::RangeRequest range = get_request("a");
  range.serializable = serializable;
  keyspace::TxnRequest txn;
  txn.success.emplace_back(std::move(range));
  return txn;
}

std::string closed_line() {
  return "closed " + std::to_string(static_cast<int>(Error::linearizability_unavailable));
}
std::string refused_line(int revision) {
  return "created -1 @" + std::to_string(revision) + " refused " +
         std::to_string(static_cast<int>(WatchRefusal::not_linearizable));
}

}  // namespace

TEST_CASE("reads that claim the present are refused at once, everything else goes on") {
  Bounded f;
  f.start();
  REQUIRE(f.put("a", "1").ok());
  CHECK(f.replica->serves_linearizable());
  f.bound.open = false;
  CHECK_FALSE(f.replica->serves_linearizable());
  CHECK(f.read(get_request("a")) == Error::linearizability_unavailable);
  CHECK(f.read(get_request("a", "z")) == Error::linearizability_unavailable);
  CHECK(f.read(get_request("a", "", 2)) == Error::linearizability_unavailable);
  CHECK(f.txn(reading(false)) == Error::linearizability_unavailable);
  CHECK(f.txn({}) == Error::linearizability_unavailable);

  keyspace::RangeRequest serializable = get_request("a", "z");
  serializable.serializable = true;
  CHECK(f.read(std::move(serializable)) == Error::ok);
  CHECK(f.txn(reading(true)) == Error::ok);
  CHECK(f.put("a", "2").ok());
  CHECK(f.del("a").ok());
  CHECK(f.grant(7, 60).ok());
  keyspace::TxnRequest writing = reading(false);
  writing.success.emplace_back(put_request("b", "1"));
  CHECK(f.txn(std::move(writing)) == Error::ok);

  f.bound.open = true;
  CHECK(f.read(get_request("a")) == Error::ok);
}

TEST_CASE("a read that waits for the fence is refused when the bound closes") {
  Bounded f;
  f.replica = f.make();
  Answer<keyspace::RangeResult> answer;
  f.replica->range(get_request("a", "z"), answer.callback());
  f.run_for(std::chrono::milliseconds(300));
  CHECK_FALSE(answer.given());
  f.bound.open = false;
  f.run_for(std::chrono::milliseconds(150));
  REQUIRE(answer.given());
  CHECK((*answer).error() == Error::linearizability_unavailable);
}

TEST_CASE("watches that run go on, those from a known revision begin, those from now do not") {
  Bounded f;
  f.start();
  REQUIRE(f.put("a", "1").ok());
  RecordingSink sink;
  const auto stream = f.replica->open_watch_stream(sink);
  stream->create(watch_of("a"));
  f.bound.open = false;
  stream->create(watch_of("a"));
  stream->create(watch_of("a", "", 2));
  REQUIRE(f.put("a", "2").ok());
  f.run_for(std::chrono::milliseconds(200));
  Lines lines = sink.take();
  REQUIRE(lines.size() >= 3);
  CHECK(lines[0] == "created 0 @2");
  CHECK(lines[1] == refused_line(2));
  CHECK(lines[2] == "created 1 @2");
  CHECK(std::ranges::count(lines, "events 0 @3 +a=2@3") == 1);
  CHECK(sink.lists.size() >= 2);
  f.bound.open = true;
  stream->create(watch_of("a"));
  f.run_for(std::chrono::milliseconds(10));
  CHECK(sink.take() == Lines{"created 2 @3"});
}

TEST_CASE("a stream with nothing on it ends, so that its client comes back") {
  Bounded f;
  f.start();
  f.bound.open = false;
  RecordingSink sink;
  const auto stream = f.replica->open_watch_stream(sink);
  stream->create(watch_of("a"));
  CHECK(sink.take() == Lines{closed_line()});
}

}  // namespace lattice::replica
