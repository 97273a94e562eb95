// Two replicas on one log that both can write to.
#include "replica/pair.h"

namespace lattice::replica {
namespace {

double seconds_since(const sim::SimWorld& world, int64_t since) {
  return static_cast<double>(world.now() - since) / 1e9;
}

}  // namespace

TEST_CASE("one of two leads; the other refuses what needs a leader, after a short wait") {
  Pair f;
  f.world.run_for(std::chrono::seconds(5));
  CHECK_FALSE(f.standby().replica->leads());
  REQUIRE(f.put(*f.leader(), "a").ok());
  const int64_t asked = f.world.now();
  CHECK(f.put(f.standby(), "b").error() == Error::no_leader);
  CHECK(seconds_since(f.world, asked) < 1.5);
}

TEST_CASE("a standby refuses soon whenever it is asked while another one leads") {
  Pair f;
  f.world.run_for(std::chrono::seconds(5));
  for (int i = 0; i < 40; ++i) {
    f.world.run_for(std::chrono::milliseconds(37));
    const int64_t asked = f.world.now();
    CHECK(f.put(f.standby(), "b").error() == Error::no_leader);
    CHECK(seconds_since(f.world, asked) < 1.5);
  }
}

TEST_CASE("whoever asks a standby in a gap of leadership is answered by it once it leads") {
  // The leader dies at one moment or another between two renewals.
  for (int phase = 0; phase < 10; ++phase) {
    CAPTURE(phase);
    Pair f;
    f.world.run_for(std::chrono::seconds(3) + std::chrono::milliseconds(45) * phase);
    Pair::Node& survivor = f.standby();
    f.leader()->die();
    const int64_t died = f.world.now();
    std::vector<Answer<keyspace::PutResult>> puts;
    std::vector<Answer<keyspace::RangeResult>> ranges;
    while (!survivor.replica->leads()) {
      survivor.replica->put(put_request("a", "1"), puts.emplace_back().callback());
      survivor.replica->range(get_request("a"), ranges.emplace_back().callback());
      f.world.run_for(std::chrono::milliseconds(50));
    }
    f.world.run_for(std::chrono::milliseconds(50));
    CHECK(seconds_since(f.world, died) < 2.1);
    CHECK(puts.size() > 25);
    for (const auto& put : puts) REQUIRE((put.given() && (*put).ok()));
    for (const auto& range : ranges) REQUIRE((range.given() && (*range).ok()));
  }
}

TEST_CASE("a dead leader is replaced within two seconds, and what it acknowledged is there") {
  Pair f;
  REQUIRE(f.put(*f.leader(), "a").ok());
  f.world.run_for(std::chrono::seconds(3));
  Pair::Node& survivor = f.standby();
  f.leader()->die();
  const int64_t died = f.world.now();
  f.run_until([&] { return f.leader() == &survivor; });
  CHECK(seconds_since(f.world, died) < 2.0);
  CHECK(survivor.replica->epoch() == 2);
  Answer<keyspace::RangeResult> range;
  survivor.replica->range(get_request("a"), range.callback());
  f.run_until([&] { return range.given(); });
  CHECK((*range)->count == 1);
  REQUIRE(f.put(survivor, "b").ok());
}

TEST_CASE("a leader that stops hands over at once") {
  Pair f;
  f.world.run_for(std::chrono::seconds(3));
  Pair::Node* old = f.leader();
  Pair::Node& next = f.standby();
  bool stopped = false;
  old->replica->stop([&](const Status&) { stopped = true; });
  const int64_t asked = f.world.now();
  f.run_until([&] { return next.replica->can_linearize(); });
  CHECK(stopped);
  CHECK(seconds_since(f.world, asked) < 0.5);
}

TEST_CASE("the streams of a leader whose session was declared dead go on") {
  Pair f;
  RecordingSink sink;
  auto stream = f.leader()->replica->open_watch_stream(sink);
  stream->create(watch_of("a"));
  f.declare_dead(f.leader()->membership->session.incarnation());
  // Somebody leads again, under a new incarnation.
  f.run_until([&] { return f.leader() != nullptr && f.leader()->replica->epoch() == 2; });
  REQUIRE(f.put(*f.leader(), "a").ok());
  f.world.run_for(std::chrono::seconds(3));
  // Also where it follows now: its leader's session row says how far the log is committed.
  REQUIRE(sink.lines.size() == 2);
  CHECK(sink.lines.back().starts_with("event"));
}

}  // namespace lattice::replica
