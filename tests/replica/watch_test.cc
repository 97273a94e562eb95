// Watches on the leader: order, sharing, catching up, compaction, progress, credit.
#include "replica/fixture.h"

namespace lattice::replica {

using Lines = std::vector<std::string>;

namespace {

struct Following : Fixture {
  using Fixture::Fixture;
  RecordingSink sink;
  std::unique_ptr<WatchStream> stream;
  void open() { stream = replica->open_watch_stream(sink); }
};
}  // namespace

TEST_CASE("a watch from now on gets later revisions, one response each") {
  Following f;
  f.start();
  REQUIRE(f.put("a", "1").ok());
  f.open();
  f.stream->create(watch_of("a"));
  REQUIRE(f.put("b", "x").ok());
  REQUIRE(f.put("a", "2").ok());
  REQUIRE(f.del("a").ok());
  CHECK(f.sink.take() == Lines{"created 0 @2", "events 0 @4 +a=2@4", "events 0 @5 -a=@5"});
}

TEST_CASE("all events of a revision travel together, in order, with prev_kv where asked") {
  Following f;
  f.start();
  REQUIRE(f.put("a", "old").ok());
  f.open();
  WatchCreate with_prev = watch_of("a", "z");
  with_prev.prev_kv = true;
  f.stream->create(with_prev);
  f.stream->create(watch_of("b"));
  WatchCreate no_put = watch_of("a", "z");
  no_put.no_put = true;
  no_put.fragment = true;
  f.stream->create(no_put);
  f.sink.take();
  keyspace::TxnRequest txn;
  txn.success.emplace_back(put_request("b", "1"));
  txn.success.emplace_back(keyspace::DeleteRangeRequest{{"a", ""}, false});
  REQUIRE(f.txn(std::move(txn)).ok());
  Lines lines = f.sink.take();
  std::sort(lines.begin(), lines.end());
  CHECK(lines ==
        Lines{"events 0 @3 +b=1@3 -a=@3(old)", "events 1 @3 +b=1@3", "events 2 @3 fragment -a=@3"});
}

TEST_CASE("a thousand watchers share one list of events") {
  Following f;
  f.start();
  f.open();
  for (int i = 0; i < 1000; ++i) f.stream->create(watch_of("hot"));
  REQUIRE(f.put("hot", "1").ok());
  REQUIRE(f.sink.lists.size() == 1000);
  for (const WatchEvents& list : f.sink.lists) CHECK(list == f.sink.lists.front());
}

TEST_CASE("ids are picked from 0 upward and refused when in use") {
  Following f;
  f.start();
  f.open();
  WatchCreate chosen = watch_of("a");
  chosen.id = WatchId(1);
  f.stream->create(watch_of("a"));
  f.stream->create(chosen);
  f.stream->create(watch_of("a"));
  f.stream->create(chosen);
  f.stream->create(watch_of("b", "a"));
  f.stream->create(watch_of("a", "", -3));
  f.stream->cancel(WatchId(1));
  f.stream->cancel(WatchId(77));
  CHECK(f.sink.take() == Lines{"created 0 @1", "created 1 @1", "created 2 @1",
                               "created -1 @1 refused 3", "created -1 @1 refused 2",
                               "created -1 @1 refused 1", "canceled 1 @1"});
}

TEST_CASE("a watch of old revisions catches up in responses of whole revisions") {
  Following f;
  f.start();
  for (int i = 0; i < 2500; ++i) {
    Answer<keyspace::PutResult> answer;
    f.replica->put(put_request("k" + std::to_string(i % 10), "v"), answer.callback());
    if (i % 500 == 499) REQUIRE(f.wait(answer).ok());
  }
  f.open();
  f.stream->create(watch_of("k", "l", 2));
  f.run_for(std::chrono::seconds(1));
  REQUIRE(f.sink.lists.size() == 3);
  CHECK(f.sink.lists[0]->size() == 1000);
  CHECK(f.sink.lists[1]->size() == 1000);
  CHECK(f.sink.lists[2]->size() == 500);
  int64_t revision = 1;
  for (const WatchEvents& list : f.sink.lists) {
    for (const WatchEvent& event : *list) CHECK(event.kv->mod_revision() == Revision(++revision));
  }
  f.sink.take();
  REQUIRE(f.put("k1", "new").ok());
  CHECK(f.sink.take() == Lines{"events 0 @2502 +k1=new@2502"});
}

TEST_CASE("many watches behind by different amounts all catch up") {
  Following f;
  f.start();
  for (int i = 0; i < 50; ++i) REQUIRE(f.put("k" + std::to_string(i % 5), "v").ok());
  f.open();
  for (int64_t start = 2; start <= 51; ++start) {
    f.stream->create(watch_of("k" + std::to_string(start % 5), "", start));
  }
  f.run_for(std::chrono::seconds(1));
  size_t events = 0;
  for (const WatchEvents& list : f.sink.lists) events += list->size();
  size_t expected = 0;  // revision r changes key (r - 2) % 5
  for (int64_t start = 2; start <= 51; ++start) {
    for (int64_t r = start; r <= 51; ++r) expected += (r - 2) % 5 == start % 5;
  }
  CHECK(events == expected);
}

TEST_CASE("a watch in the future stays silent until its revision") {
  Following f;
  f.start();
  f.open();
  f.stream->create(watch_of("a", "", 4));
  f.stream->request_progress();
  REQUIRE(f.put("a", "2").ok());
  REQUIRE(f.put("a", "3").ok());
  CHECK(f.sink.take() == Lines{"created 0 @1"});
  REQUIRE(f.put("a", "4").ok());
  f.stream->request_progress();
  CHECK(f.sink.take() == Lines{"events 0 @4 +a=4@4", "progress -1 @4"});
}

TEST_CASE("progress is answered only when every watch has been given everything") {
  Following f;
  f.start();
  REQUIRE(f.put("a", "1").ok());
  f.open();
  f.stream->request_progress();  // no watch: dropped
  f.stream->create(watch_of("a"));
  f.stream->request_progress();
  CHECK(f.sink.take() == Lines{"created 0 @2", "progress -1 @2"});
  f.stream->create(watch_of("a", "", 2));  // behind until the next turn
  f.stream->request_progress();
  f.run_for(std::chrono::milliseconds(10));
  f.stream->request_progress();
  CHECK(f.sink.take() == Lines{"created 1 @2", "events 1 @2 +a=1@2", "progress -1 @2"});
}

TEST_CASE("a stream without room costs no queue, and its progress waits") {
  Following f;
  f.start();
  f.open();
  f.stream->create(watch_of("a"));
  const std::string value(300'000, 'x');
  for (int i = 0; i < 8; ++i) REQUIRE(f.put("a", value).ok());
  f.run_for(std::chrono::seconds(1));
  CHECK(f.sink.lists.size() == 4);  // the one that fills it included
  CHECK(f.replica->watch_lag() == 4);
  f.stream->request_progress();
  REQUIRE(f.sink.take().back().starts_with("events 0 @5"));
  f.stream->consumed(f.sink.bytes);
  f.run_for(std::chrono::seconds(1));
  size_t events = 0;
  for (const WatchEvents& list : f.sink.lists) events += list->size();
  CHECK(events == 8);
  CHECK(f.replica->watch_lag() == 0);
  f.stream->consumed(f.sink.bytes);
  f.run_for(std::chrono::seconds(1));
  f.sink.take();
  f.stream->request_progress();
  CHECK(f.sink.take() == Lines{"progress -1 @9"});
}

TEST_CASE("many streams that do not read share one bound, and each is fed again when it reads") {
  Options options;
  options.all_streams_bytes = 1000;
  options.stream_share_bytes = 1;
  Following f(options);
  f.start();
  std::vector<RecordingSink> sinks(10);
  std::vector<std::unique_ptr<WatchStream>> streams;
  for (RecordingSink& sink : sinks) {
    streams.push_back(f.replica->open_watch_stream(sink));
    streams.back()->create(watch_of("k"));
  }
  const std::string value(500, 'v');
  for (int i = 0; i < 4; ++i) REQUIRE(f.put("k", value).ok());
  // The first revision comes first for everybody; then there is no room but for who has read.
  for (RecordingSink& sink : sinks) {
    REQUIRE(sink.lists.size() == 1);
    CHECK(sink.lists[0]->front().kv->mod_revision() == Revision(2));
  }
  const auto events_of = [](const RecordingSink& sink) {
    size_t events = 0;
    for (const WatchEvents& list : sink.lists) events += list->size();
    return events;
  };
  const auto read = [&](size_t i) {
    for (size_t n = 0; n < 4; ++n) {
      f.run_for(std::chrono::milliseconds(10));
      if (n < sinks[i].lists.size()) streams[i]->consumed(encoded_size(*sinks[i].lists[n]));
    }
  };
  read(3);
  CHECK(events_of(sinks[3]) == 4);
  CHECK(events_of(sinks[4]) == 1);
  // Room for all comes with the end of some.
  streams.erase(streams.begin() + 1, streams.end());
  f.run_for(std::chrono::milliseconds(10));
  CHECK(events_of(sinks[0]) == 4);
}

TEST_CASE("a watch overtaken by a compaction is told once and stays known until it is canceled") {
  Following f;
  f.start();
  f.open();
  f.stream->create(watch_of("a"));
  const std::string value(600'000, 'x');
  for (int i = 0; i < 6; ++i) REQUIRE(f.put("a", value).ok());  // two fit
  f.sink.take();
  REQUIRE(f.compact(6).ok());
  f.stream->request_progress();
  REQUIRE(f.compact(7).ok());
  f.stream->consumed(f.sink.bytes);
  f.run_for(std::chrono::seconds(1));
  CHECK(f.sink.take() == Lines{"compacted 0 6"});
  f.stream->cancel(WatchId(0));
  f.stream->create(watch_of("a", "", 6));
  f.stream->create(watch_of("b", "", 7));
  CHECK(f.sink.take() == Lines{"canceled 0 @7", "created 1 @7", "compacted 1 7", "created 2 @7"});
}

TEST_CASE("progress_notify comes at its interval, unless there were events") {
  Options options;
  options.progress_interval = std::chrono::seconds(10);
  Following f(options);
  f.start();
  f.open();
  WatchCreate notify = watch_of("a");
  notify.progress_notify = true;
  f.stream->create(notify);
  f.stream->create(watch_of("a"));
  REQUIRE(f.put("b", "1").ok());
  f.run_for(std::chrono::seconds(12));
  CHECK(f.sink.take() == Lines{"created 0 @1", "created 1 @1", "progress 0 @2"});
  REQUIRE(f.put("a", "1").ok());
  f.sink.take();
  f.run_for(std::chrono::seconds(11));
  CHECK(f.sink.take().empty());
  f.run_for(std::chrono::seconds(11));
  CHECK(f.sink.take() == Lines{"progress 0 @3"});
}

TEST_CASE("requests made inside a delivery wait until it is over") {
  struct Reentrant : RecordingSink {
    void on_events(WatchId id, Revision header, bool fragment, WatchEvents events) override {
      RecordingSink::on_events(id, header, fragment, std::move(events));
      if (lists.size() == 1) {
        stream->create(watch_of("a"));
        stream->request_progress();
      }
    }
    WatchStream* stream = nullptr;
  } sink;
  Fixture f;
  f.start();
  auto stream = f.replica->open_watch_stream(sink);
  sink.stream = stream.get();
  stream->create(watch_of("a"));
  stream->create(watch_of("a"));
  Answer<keyspace::PutResult> first;
  Answer<keyspace::PutResult> second;
  f.replica->put(put_request("a", "1"), first.callback());
  f.replica->put(put_request("a", "2"), second.callback());
  REQUIRE(f.wait(second).ok());
  CHECK(sink.take() == Lines{"created 0 @1", "created 1 @1", "events 0 @3 +a=1@2 +a=2@3",
                             "events 1 @3 +a=1@2 +a=2@3", "created 2 @3", "progress -1 @3"});
}

TEST_CASE("the revisions of one batch reach a watch in one response, each only what it wants") {
  Fixture f;
  f.start();
  RecordingSink sink;
  auto stream = f.replica->open_watch_stream(sink);
  stream->create(watch_of("a"));
  stream->create(watch_of("a", "c"));
  stream->create(watch_of("a", "c", 4));
  WatchCreate deletes = watch_of("a", "c");
  deletes.no_put = true;
  stream->create(deletes);
  sink.take();
  Answer<keyspace::PutResult> answers[3];
  f.replica->put(put_request("a", "v"), answers[0].callback());
  f.replica->put(put_request("b", "v"), answers[1].callback());
  f.replica->put(put_request("a", "v"), answers[2].callback());
  REQUIRE(f.wait(answers[2]).ok());
  CHECK(sink.take() == Lines{"events 0 @4 +a=v@2 +a=v@4", "events 1 @4 +a=v@2 +b=v@3 +a=v@4",
                             "events 2 @4 +a=v@4"});
}

TEST_CASE("a stream may be destroyed by its own sink") {
  struct Suicidal : RecordingSink {
    void on_events(WatchId id, Revision header, bool fragment, WatchEvents events) override {
      RecordingSink::on_events(id, header, fragment, std::move(events));
      stream.reset();
    }
    std::unique_ptr<WatchStream> stream;
  } sink;
  Fixture f;
  f.start();
  sink.stream = f.replica->open_watch_stream(sink);
  for (int i = 0; i < 3; ++i) sink.stream->create(watch_of("a"));
  REQUIRE(f.put("a", "1").ok());
  REQUIRE(f.put("a", "2").ok());
  CHECK(sink.lists.size() == 1);
}

TEST_CASE("streams may outlive the replica, and stop closes them") {
  Following f;
  f.start();
  f.open();
  f.stream->create(watch_of("a"));
  f.replica->stop([](const Status&) {});
  CHECK(f.sink.take() ==
        Lines{"created 0 @1", "closed " + std::to_string(static_cast<int>(Error::stopped))});
  f.replica.reset();
  f.stream->create(watch_of("b"));
  f.stream.reset();
  CHECK(f.sink.lines.empty());
}

}  // namespace lattice::replica
