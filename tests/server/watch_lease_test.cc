// Watches and leases through a real socket.
#include <vector>

#include "server/running_server.h"

namespace lattice::server::testing {
namespace {

using etcdserverpb::WatchRequest;
using etcdserverpb::WatchResponse;

WatchRequest create(const std::string& key, const std::string& end = "", int64_t start = 0) {
  WatchRequest request;
  auto* watch = request.mutable_create_request();
  watch->set_key(key);
  watch->set_range_end(end);
  watch->set_start_revision(start);
  return request;
}

WatchRequest cancel(int64_t id) {
  WatchRequest request;
  request.mutable_cancel_request()->set_watch_id(id);
  return request;
}

TEST_CASE("a watch is told of each change, in order, and of nothing after its cancel") {
  RunningServer server;
  TestClient client(server.address());
  put(client, "a/0", "old");
  Stream<WatchResponse> stream(client, "/etcdserverpb.Watch/Watch");
  WatchRequest request = create("a/", "a0");
  request.mutable_create_request()->set_prev_kv(true);
  stream.send(request);
  WatchResponse created = stream.next();
  CHECK(created.created());
  CHECK(created.watch_id() == 0);
  CHECK(created.header().revision() == 2);

  put(client, "a/0", "new");
  put(client, "b", "elsewhere");
  erase(client, "a/0");
  // One response for both where the loop was busy in between.
  std::vector<mvccpb::Event> events;
  while (events.size() < 2) {
    const WatchResponse response = stream.next();
    REQUIRE(response.events_size() > 0);
    events.insert(events.end(), response.events().begin(), response.events().end());
    CHECK(response.header().revision() >= events.back().kv().mod_revision());
    CHECK(response.header().revision() <= 5);
  }
  CHECK(events[0].kv().mod_revision() == 3);
  CHECK(events[0].kv().value() == "new");
  CHECK(events[0].prev_kv().value() == "old");
  CHECK(events[1].type() == mvccpb::Event::DELETE);
  CHECK(events[1].kv().mod_revision() == 5);
  CHECK(events[1].kv().create_revision() == 0);
  CHECK(events[1].prev_kv().value() == "new");

  stream.half_close();  // a watch outlives it
  put(client, "a/1", "v");
  CHECK(stream.next().events(0).kv().key() == "a/1");
}

TEST_CASE("a watch from the past catches up, and one from a compacted past is told so") {
  RunningServer server;
  TestClient client(server.address());
  for (int i = 0; i < 5; ++i) put(client, "k", std::to_string(i));
  Stream<WatchResponse> stream(client, "/etcdserverpb.Watch/Watch");
  stream.send(create("k", "", 3));
  CHECK(stream.next().created());
  WatchResponse history = stream.next();
  REQUIRE(history.events_size() == 4);
  CHECK(history.events(0).kv().mod_revision() == 3);

  etcdserverpb::CompactionRequest compact;
  compact.set_revision(5);
  ask<etcdserverpb::CompactionResponse>(client, "/etcdserverpb.KV/Compact", compact);
  stream.send(create("k", "", 2));
  WatchResponse created = stream.next();
  CHECK(created.created());
  CHECK(created.watch_id() == 1);
  WatchResponse compacted = stream.next();
  CHECK(compacted.canceled());
  CHECK(compacted.compact_revision() == 5);
  CHECK(compacted.header().revision() == 0);
  CHECK(compacted.cancel_reason().empty());
}

TEST_CASE("refused watches are answered in order on a stream that lives on") {
  RunningServer server;
  TestClient client(server.address());
  Stream<WatchResponse> stream(client, "/etcdserverpb.Watch/Watch");
  stream.send(create("b", "a"));
  stream.send(create("k", "", -1));
  WatchRequest named = create("k");
  named.mutable_create_request()->set_watch_id(7);
  stream.send(named);
  stream.send(named);
  const char* reasons[] = {"mvcc: watcher range is empty",
                           "etcdserver: mvcc: required revision has been compacted"};
  for (const char* reason : reasons) {
    WatchResponse refused = stream.next();
    CHECK(refused.created());
    CHECK(refused.canceled());
    CHECK(refused.watch_id() == -1);
    CHECK(refused.cancel_reason() == reason);
  }
  CHECK(stream.next().watch_id() == 7);
  CHECK(stream.next().cancel_reason() == "mvcc: duplicate watch ID provided on the WatchStream");

  WatchRequest progress;
  progress.mutable_progress_request();
  stream.send(progress);
  WatchResponse answer = stream.next();
  CHECK(answer.watch_id() == -1);
  CHECK(answer.events_size() == 0);
  CHECK(answer.header().revision() == 1);

  stream.send(cancel(7));
  WatchResponse canceled = stream.next();
  CHECK(canceled.canceled());
  CHECK(canceled.watch_id() == 7);
  stream.send(cancel(99));
  put(client, "k", "v");
  CHECK(stream.silent());
}

TEST_CASE("a lease holds its keys, tells its time and takes them along") {
  RunningServer server;
  TestClient client(server.address());
  etcdserverpb::LeaseGrantRequest grant;
  grant.set_ttl(100);
  auto granted =
      ask<etcdserverpb::LeaseGrantResponse>(client, "/etcdserverpb.Lease/LeaseGrant", grant);
  CHECK(granted.id() > 0);
  CHECK(granted.ttl() == 100);
  grant.set_id(granted.id());
  CHECK(refusal(client, "/etcdserverpb.Lease/LeaseGrant", grant) ==
        "9 etcdserver: lease already exists");
  put(client, "k", "v", granted.id());

  etcdserverpb::LeaseTimeToLiveRequest ask_time;
  ask_time.set_id(granted.id());
  ask_time.set_keys(true);
  auto time = ask<etcdserverpb::LeaseTimeToLiveResponse>(
      client, "/etcdserverpb.Lease/LeaseTimeToLive", ask_time);
  CHECK(time.grantedttl() == 100);
  REQUIRE(time.keys_size() == 1);
  CHECK(time.keys(0) == "k");

  Stream<etcdserverpb::LeaseKeepAliveResponse> stream(client, "/etcdserverpb.Lease/LeaseKeepAlive");
  etcdserverpb::LeaseKeepAliveRequest renew;
  renew.set_id(granted.id());
  stream.send(renew);
  CHECK(stream.next().ttl() == 100);
  renew.set_id(12345);
  stream.send(renew);
  CHECK(stream.next().ttl() == 0);  // no such lease: no error, the stream lives on
  stream.half_close();
  CHECK(stream.status() == "0 ");

  etcdserverpb::LeaseRevokeRequest revoke;
  revoke.set_id(granted.id());
  auto revoked =
      ask<etcdserverpb::LeaseRevokeResponse>(client, "/etcdserverpb.Lease/LeaseRevoke", revoke);
  CHECK(revoked.header().revision() == 3);
  CHECK(get(client, "k").count() == 0);
  time = ask<etcdserverpb::LeaseTimeToLiveResponse>(client, "/etcdserverpb.Lease/LeaseTimeToLive",
                                                    ask_time);
  CHECK(time.ttl() == -1);
  CHECK(refusal(client, "/etcdserverpb.Lease/LeaseRevoke", revoke) ==
        "5 etcdserver: requested lease not found");
}

TEST_CASE("a client that reads slowly neither loses events nor costs memory without bound") {
  RunningServer server;
  TestClient slow(server.address(), {.withhold_windows = true, .stream_window = 65'535});
  Stream<WatchResponse> stream(slow, "/etcdserverpb.Watch/Watch");
  stream.send(create("k"));
  CHECK(stream.next().created());
  TestClient writer(server.address());
  const std::string value(50'000, 'v');
  constexpr int writes = 100;  // five times what a stream may have undelivered
  for (int i = 0; i < writes; ++i) put(writer, "k", value);
  // Everything comes, in order, as the client makes room for it.
  const int32_t id = 1;
  for (int i = 0; i < 2000 && slow.response(id).body.size() < writes * value.size(); ++i) {
    slow.open_window(id);
    slow.pump(std::chrono::milliseconds(5));
  }
  int64_t last = 1;
  while (last < writes + 1) {
    const auto response = stream.next();
    for (const mvccpb::Event& event : response.events()) {
      CHECK(event.kv().mod_revision() == ++last);
    }
  }
}

}  // namespace
}  // namespace lattice::server::testing
