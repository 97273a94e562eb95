// Watches on a loop that other tenants want, too: what one commit brings is handed out in pieces,
// and what happens between two of them must change nothing that a client can see.
#include <algorithm>
#include <map>
#include <ranges>

#include "replica/fixture.h"

namespace lattice::replica {

using Lines = std::vector<std::string>;

namespace {

// At most so many watches are given events in one piece (sim/sim_world.h).
constexpr size_t watches_per_piece = 8;
// So many take longer than several commits.
constexpr size_t many = 4000;

struct Shared : Fixture {
  explicit Shared(Options with = {}) : Fixture(std::move(with)) {
    environment.share(0.5);
    start();
    stream = open(sink);
  }
  std::unique_ptr<WatchStream> open(WatchSink& at) { return replica->open_watch_stream(at); }
  void create(size_t count, const WatchCreate& create) {
    for (size_t i = 0; i < count; ++i) stream->create(create);
    sink.take();
  }
  // A put whose events have begun to be handed out, and are not all.
  void put_and_stop_between(std::string key, std::string value) {
    const size_t before = sink.lists.size();
    Answer<keyspace::PutResult> answer;
    replica->put(put_request(std::move(key), std::move(value)), answer.callback());
    run_until([&] { return sink.lists.size() > before; });
  }
  void put_without_waiting(std::string key, std::string value) {
    replica->put(put_request(std::move(key), std::move(value)),
                 [](const Result<keyspace::PutResult>& result) { REQUIRE(result.ok()); });
  }
  void finish() { run_for(std::chrono::milliseconds(50)); }

  RecordingSink sink;
  std::unique_ptr<WatchStream> stream;
};

WatchCreate notifying(std::string key) {
  WatchCreate create = watch_of(std::move(key));
  create.progress_notify = true;
  return create;
}

size_t count_of(const Lines& lines, std::string_view what) {
  return static_cast<size_t>(std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
    return line.find(what) != std::string::npos;
  }));
}

}  // namespace

TEST_CASE("A fan-out to thousands of watches lets requests in between, and each watch gets all") {
  Shared f;
  f.create(3000, watch_of("hot"));
  Answer<keyspace::PutResult> put;
  f.replica->put(put_request("hot", "1"), put.callback());
  size_t most = 0;
  size_t answered_between = 0;
  std::vector<Answer<keyspace::RangeResult>> gets;
  while (f.sink.lists.size() < 3000) {
    const size_t before = f.sink.lists.size();
    REQUIRE(f.world.step(f.world.now() + 1'000'000'000));
    most = std::max(most, f.sink.lists.size() - before);
    if (before == f.sink.lists.size()) continue;
    if (!gets.empty() && gets.back().given()) ++answered_between;
    gets.emplace_back();
    f.replica->range(get_request("hot"), gets.back().callback());
  }
  CHECK(most <= watches_per_piece);
  CHECK(answered_between > 20);
  CHECK(std::ranges::all_of(f.sink.lists,
                            [&](const auto& list) { return list == f.sink.lists.front(); }));
  REQUIRE(f.put("hot", "2").ok());
  f.finish();
  CHECK(f.sink.lists.size() == 6000);
}

TEST_CASE("Revisions that come while events are handed out follow in order, several at once") {
  Shared f;
  f.create(40, watch_of("a", "z"));
  f.put_and_stop_between("a", "1");
  for (int i = 2; i <= 30; ++i) {
    Answer<keyspace::PutResult> answer;
    f.replica->put(put_request("b", std::to_string(i)), answer.callback());
    if (i % 10 == 0) REQUIRE(f.wait(answer).ok());
  }
  f.finish();
  std::map<int64_t, std::vector<int64_t>> revisions;
  for (const std::string& line : f.sink.take()) {
    std::vector<int64_t>& seen = revisions[std::stoll(line.substr(7))];
    for (size_t at = line.find('=');
         (at = line.find('@', at == std::string::npos ? 0 : at)) != std::string::npos; ++at) {
      seen.push_back(std::stoll(line.substr(at + 1)));
    }
  }
  REQUIRE(revisions.size() == 40);
  std::vector<int64_t> all;
  for (int64_t revision = 2; revision <= 31; ++revision) all.push_back(revision);
  for (const auto& [id, seen] : revisions) CHECK(seen == all);
  CHECK(f.sink.lists.size() < 40 * 30);
}

TEST_CASE("A watch that is canceled between two pieces gets nothing more") {
  Shared f;
  f.create(100, watch_of("k"));
  RecordingSink other;
  auto gone = f.open(other);
  for (int i = 0; i < 10; ++i) gone->create(watch_of("k"));
  f.put_and_stop_between("k", "1");
  for (int64_t id = 0; id < 100; ++id) f.stream->cancel(WatchId(id));
  gone.reset();
  f.finish();
  const Lines lines = f.sink.take();
  CHECK(count_of(lines, "canceled") == 100);
  for (int64_t id = 0; id < 100; ++id) {
    const std::string name = " " + std::to_string(id) + " ";
    const auto canceled = std::ranges::find(lines, "canceled" + name + "@2");
    REQUIRE(canceled != lines.end());
    CHECK(count_of({canceled, lines.end()}, "events" + name) == 0);
  }
  REQUIRE(f.put("k", "2").ok());
  f.finish();
  CHECK(f.sink.take().empty());
}

TEST_CASE("A watch that is created between two pieces shows neither the past nor a gap") {
  Shared f;
  f.create(many, watch_of("k"));
  f.put_and_stop_between("k", "1");
  Answer<keyspace::PutResult> second;
  f.replica->put(put_request("k", "2"), second.callback());
  REQUIRE(f.wait(second).ok());
  // Both puts are acknowledged, and the events of neither are all handed out.
  REQUIRE(f.sink.lists.size() < many);
  RecordingSink other;
  auto fresh = f.open(other);
  fresh->create(watch_of("k"));
  fresh->create(watch_of("k", "", 3));
  fresh->create(watch_of("k", "", 4));
  fresh->request_progress();
  f.finish();
  REQUIRE(f.put("k", "3").ok());
  f.finish();
  const Lines lines = other.take();
  CHECK(lines.front() == "created 0 @3");
  CHECK(count_of(lines, "events 0 ") == 1);
  CHECK(count_of(lines, "events 0 @4 +k=3@4") == 1);
  CHECK(count_of(lines, "events 1 @3 +k=2@3") == 1);
  CHECK(count_of(lines, "events 1 @4 +k=3@4") == 1);
  CHECK(count_of(lines, "events 2 ") == 1);
  CHECK(count_of(lines, "events 2 @4 +k=3@4") == 1);
}

TEST_CASE("A thousand creations that wait for a round all come with the next one") {
  Shared f;
  f.create(200, watch_of("k"));
  f.put_and_stop_between("k", "1");
  RecordingSink other;
  auto fresh = f.open(other);
  for (int i = 0; i < 1000; ++i) fresh->create(watch_of("k"));
  CHECK(other.lines.empty());
  Answer<keyspace::PutResult> next;
  f.replica->put(put_request("k", "2"), next.callback());
  f.run_until([&] { return !other.lines.empty(); });
  CHECK(other.take().size() == 1000);
}

TEST_CASE("Progress says no more than the watch was given") {
  Options options;
  options.progress_interval = std::chrono::microseconds(50);  // shorter than a round
  Shared f(options);
  f.create(300, notifying("k"));
  REQUIRE(f.put("k", "0").ok());
  f.finish();
  f.sink.take();
  for (int i = 0; i < 5; ++i) {
    f.put_and_stop_between("k", std::to_string(i));
    f.stream->request_progress();
    f.run_for(std::chrono::milliseconds(1));
  }
  // For each watch, and for the stream as a whole: nothing at or below a revision that was told.
  std::map<std::string, int64_t> told;
  size_t for_all = 0;
  for (const std::string& line : f.sink.take()) {
    const int64_t revision = std::stoll(line.substr(line.find('@') + 1));
    const std::string id = line.substr(line.find(' '), line.find('@') - line.find(' '));
    if (line.starts_with("progress")) {
      CHECK(revision >= told[id]);
      told[id] = revision;
      for_all += id == " -1 ";
    } else {
      CHECK(revision > told[id]);
      CHECK(revision > told[" -1 "]);
      told[id] = revision;
    }
  }
  CHECK(for_all == 5);
}

TEST_CASE("A stream without room falls behind in the middle of a round and misses nothing") {
  Options options;
  options.stream_bytes = 2000;
  Shared f(options);
  f.create(20, watch_of("k"));
  const std::string value(300, 'v');
  for (int i = 0; i < 6; ++i) REQUIRE(f.put("k", value).ok());
  f.finish();
  CHECK(f.sink.lists.size() < 10);
  int64_t newest = 7;
  for (size_t fed = 0; fed < f.sink.lists.size(); ++fed) {
    // New ones come while the old ones are caught up with.
    if (fed % 16 == 0 && newest < 20) {
      f.put_without_waiting("k", value);
      ++newest;
    }
    f.stream->consumed(encoded_size(*f.sink.lists[fed]));
    f.run_for(std::chrono::microseconds(fed % 100));
    if (fed + 1 == f.sink.lists.size()) f.finish();
  }
  std::map<int64_t, int64_t> next;
  for (const std::string& line : f.sink.take()) {
    const int64_t id = std::stoll(line.substr(7));
    for (size_t at = line.find('+'); at != std::string::npos; at = line.find('+', at + 1)) {
      const int64_t revision = std::stoll(line.substr(line.find("v@", at) + 2));
      const auto [place, first] = next.try_emplace(id, 2);
      CHECK(revision == place->second);
      place->second = revision + 1;
    }
  }
  CHECK(next.size() == 20);
  for (const auto& [id, after] : next) CHECK(after == newest + 1);
}

TEST_CASE("A compaction between two pieces takes nothing from those who were not served yet") {
  Shared f;
  f.create(many, watch_of("k"));
  f.put_and_stop_between("k", "1");
  Answer<keyspace::PutResult> second;
  Answer<Revision> compacted;
  f.replica->put(put_request("k", "2"), second.callback());
  REQUIRE(f.wait(second).ok());
  f.replica->compact(Revision(3), false, compacted.callback());
  REQUIRE(f.sink.lists.size() < many);
  REQUIRE(f.wait(compacted).ok());
  REQUIRE(f.sink.lists.size() < 2 * many);
  f.finish();
  const Lines lines = f.sink.take();
  CHECK(count_of(lines, "compacted") == 0);
  CHECK(count_of(lines, "+k=1@2") == many);
  CHECK(count_of(lines, "+k=2@3") == many);
}

TEST_CASE("Who falls behind a compaction within a round is told so, and gets nothing more") {
  Options options;
  options.stream_bytes = 100'000;
  Shared f(options);
  f.create(many, watch_of("k"));
  f.put_and_stop_between("k", std::string(300, 'v'));
  Answer<keyspace::PutResult> second;
  Answer<Revision> compacted;
  f.replica->put(put_request("k", "2"), second.callback());
  REQUIRE(f.wait(second).ok());
  f.replica->compact(Revision(3), false, compacted.callback());
  REQUIRE(f.wait(compacted).ok());
  f.finish();
  // It has room again, for those who may still be served.
  f.stream->consumed(f.sink.bytes);
  f.finish();
  f.stream->consumed(f.sink.bytes);
  f.finish();
  std::map<int64_t, std::string> story;
  for (const std::string& line : f.sink.take()) {
    const size_t id = line.find(' ');
    story[std::stoll(line.substr(id))] += line[0] == 'e' ? line.substr(line.find('@'), 2) : "c";
  }
  CHECK(story.size() == many);
  std::map<std::string, size_t> stories;
  for (const auto& [id, told] : story) ++stories[told];
  // Who had room for the first revision, and who had not.
  CHECK(stories["@2@3"] + stories["c"] == many);
  CHECK(stories["@2@3"] > 100);
  CHECK(stories["c"] > 100);
}

TEST_CASE("All events of a revision stay together, with prev_kv and fragments, in pieces too") {
  Shared f;
  REQUIRE(f.put("a", "old").ok());
  WatchCreate create = watch_of("a", "z");
  create.prev_kv = true;
  create.fragment = true;
  f.create(50, create);
  keyspace::TxnRequest txn;
  txn.success.emplace_back(put_request("b", "1"));
  txn.success.emplace_back(keyspace::DeleteRangeRequest{{"a", ""}, false});
  REQUIRE(f.txn(std::move(txn)).ok());
  f.finish();
  const Lines lines = f.sink.take();
  CHECK(lines.size() == 50);
  CHECK(count_of(lines, " @3 fragment +b=1@3 -a=@3(old)") == 50);
}

TEST_CASE("A tenant's next batches wait while its watches are still to be given so much") {
  Shared f;
  f.create(many, watch_of("k"));
  f.put_and_stop_between("k", "1");
  // One goes on while the first is handed out; the third waits for that, and is not lost.
  Answer<keyspace::PutResult> second;
  Answer<keyspace::PutResult> third;
  f.replica->put(put_request("k", "2"), second.callback());
  REQUIRE(f.wait(second).ok());
  REQUIRE(f.sink.lists.size() < many);
  f.replica->put(put_request("k", "3"), third.callback());
  REQUIRE(f.wait(third).ok());
  CHECK(f.sink.lists.size() >= many);
  f.finish();
  CHECK(f.sink.lists.size() == 3 * many);
}

TEST_CASE("Catching up between two rounds stops where the next one begins") {
  Shared f;
  RecordingSink crowd;
  auto busy = f.open(crowd);
  for (size_t i = 0; i < many; ++i) busy->create(watch_of("k"));
  for (int i = 0; i < 5; ++i) REQUIRE(f.put("k", "v").ok());
  f.finish();
  // A round is under way, another is due, and watches of all history begin behind.
  const size_t before = crowd.lists.size();
  f.put_without_waiting("k", "v");
  f.run_until([&] { return crowd.lists.size() > before; });
  Answer<keyspace::PutResult> next;
  f.replica->put(put_request("k", "v"), next.callback());
  for (int i = 0; i < 30; ++i) f.stream->create(watch_of("k", "", 2));
  REQUIRE(f.wait(next).ok());
  for (int i = 0; i < 20; ++i) {
    f.put_without_waiting("k", "v");
    f.run_for(std::chrono::milliseconds(1));
  }
  f.finish();
  f.sink.take();
  std::vector<int64_t> seen;
  for (const WatchEvents& list : f.sink.lists) {
    for (const WatchEvent& event : *list) seen.push_back(event.kv->mod_revision().value);
  }
  std::ranges::sort(seen);
  std::vector<int64_t> all;
  for (int64_t revision = 2; revision <= 28; ++revision) all.insert(all.end(), 30, revision);
  CHECK(seen == all);
}

TEST_CASE("What is too much to be kept for a round is caught up with, whole revisions at a time") {
  Options options;
  options.stream_bytes = options.all_streams_bytes = size_t{1} << 30;
  Shared f(options);
  f.create(20, watch_of("k", "l"));
  keyspace::TxnRequest txn;
  const std::string value(1 << 20, 'v');
  for (int i = 0; i < 10; ++i)
    txn.success.emplace_back(put_request("k" + std::to_string(i), value));
  REQUIRE(f.txn(std::move(txn)).ok());
  f.stream->request_progress();
  REQUIRE(f.put("k", "").ok());
  f.finish();
  REQUIRE(f.sink.lists.size() == 40);
  for (size_t i = 0; i < 40; ++i) CHECK(f.sink.lists[i]->size() == (i < 20 ? 10 : 1));
}

TEST_CASE("What ends between two pieces ends for all") {
  Shared f;
  f.create(100, watch_of("k"));
  f.put_and_stop_between("k", "1");
  f.replica->stop([](const Status&) {});
  CHECK(f.sink.take().back() == "closed " + std::to_string(static_cast<int>(Error::stopped)));
  f.finish();
  CHECK(f.sink.lines.empty());
}

}  // namespace lattice::replica
