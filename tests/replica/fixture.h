// A replica on a memory log in simulated time, and calls that run the world until they are
// answered. Thread: one.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backends/memory/memory_store.h"
#include "replica/replica.h"
#include "sim/sim_world.h"

namespace lattice::replica {

inline keyspace::PutRequest put_request(std::string key, std::string value, int64_t lease = 0) {
  keyspace::PutRequest request;
  request.key = std::move(key);
  request.value = std::move(value);
  request.lease = LeaseId(lease);
  return request;
}

inline keyspace::RangeRequest get_request(std::string key, std::string end = "",
                                          int64_t revision = 0) {
  keyspace::RangeRequest request;
  request.range = {std::move(key), std::move(end)};
  request.revision = Revision(revision);
  return request;
}

inline WatchCreate watch_of(std::string key, std::string end = "", int64_t start = 0) {
  WatchCreate create;
  create.range = {std::move(key), std::move(end)};
  create.start_revision = Revision(start);
  return create;
}

// A callback's destination, to look at later.
template <class T>
struct Answer {
  std::shared_ptr<std::optional<Result<T>>> slot = std::make_shared<std::optional<Result<T>>>();
  bool given() const { return slot->has_value(); }
  Result<T>& operator*() const { return **slot; }
  Callback<T> callback() const {
    return [slot = slot](Result<T> result) {
      REQUIRE_FALSE(slot->has_value());  // nobody is answered twice
      slot->emplace(std::move(result));
    };
  }
};

// A process's part in a database that several share.
struct Membership {
  Membership(const Options& options, Environment& environment, std::unique_ptr<Sessions> its_own)
      : sessions(std::move(its_own)),
        session(environment, options, *sessions, [](const Status&) {}) {
    session.start();
  }
  std::unique_ptr<Sessions> sessions;
  SessionKeeper session;
};

struct Fixture {
  explicit Fixture(Options with = {}, uint64_t seed = 1, bool exclusive = true)
      : options(std::move(with)),
        world(seed),
        process(world),
        environment(process),
        store(environment, {.exclusive = exclusive}) {}

  // Another replica of the same log; on a shared one its rival.
  std::unique_ptr<Replica> make(Membership* member = nullptr, Observer* observer = nullptr) {
    return std::make_unique<Replica>(
        options, environment, store.open_log("default", environment),
        Links{.session = member == nullptr ? nullptr : &member->session}, observer);
  }
  void start() {
    replica = make();
    replica->start();
    run_until([&] { return replica->can_linearize(); });
  }
  void run_until(const std::function<bool()>& done, Duration limit = std::chrono::seconds(60)) {
    const int64_t until = world.now() + limit.count();
    while (!done() && world.step(until)) {
    }
    REQUIRE(done());
  }
  void run_for(Duration duration) { world.run_for(duration); }
  template <class T>
  Result<T> wait(const Answer<T>& answer) {
    run_until([&] { return answer.given(); });
    return std::move(*answer);
  }

  Result<keyspace::PutResult> put(std::string key, std::string value, int64_t lease = 0) {
    Answer<keyspace::PutResult> answer;
    replica->put(put_request(std::move(key), std::move(value), lease), answer.callback());
    return wait(answer);
  }
  Result<keyspace::DeleteRangeResult> del(std::string key, std::string end = "") {
    Answer<keyspace::DeleteRangeResult> answer;
    replica->delete_range({{std::move(key), std::move(end)}, false}, answer.callback());
    return wait(answer);
  }
  Result<keyspace::RangeResult> get(std::string key, std::string end = "", int64_t revision = 0) {
    Answer<keyspace::RangeResult> answer;
    replica->range(get_request(std::move(key), std::move(end), revision), answer.callback());
    return wait(answer);
  }
  Result<keyspace::TxnResult> txn(keyspace::TxnRequest request) {
    Answer<keyspace::TxnResult> answer;
    replica->txn(std::move(request), answer.callback());
    return wait(answer);
  }
  Result<Revision> compact(int64_t revision, bool physical = false) {
    Answer<Revision> answer;
    replica->compact(Revision(revision), physical, answer.callback());
    return wait(answer);
  }
  Result<LeaseGrantResult> grant(int64_t id, int64_t ttl) {
    Answer<LeaseGrantResult> answer;
    replica->lease_grant(LeaseId(id), ttl, answer.callback());
    return wait(answer);
  }

  Options options;
  sim::SimWorld world;
  sim::SimProcess process;
  sim::SimEnvironment environment;
  backends::MemoryStore store;
  std::unique_ptr<Membership> membership;  // of `replica`, where a test gives it one
  std::unique_ptr<Replica> replica;
};

// Writes down what a watch stream delivers, one line per call.
class RecordingSink : public WatchSink {
 public:
  void on_created(WatchId id, Revision header, WatchRefusal refusal) override {
    lines.push_back("created " + std::to_string(id.value) + " @" + std::to_string(header.value) +
                    (refusal == WatchRefusal::none
                         ? ""
                         : " refused " + std::to_string(static_cast<int>(refusal))));
  }
  void on_events(WatchId id, Revision header, bool fragment, WatchEvents events) override {
    std::string line = "events " + std::to_string(id.value) + " @" + std::to_string(header.value);
    if (fragment) line += " fragment";
    for (const WatchEvent& event : *events) {
      line += event.kv->tombstone() ? " -" : " +";
      line += std::string(event.kv->key()) + "=" + std::string(event.kv->value()) + "@" +
              std::to_string(event.kv->mod_revision().value);
      if (event.prev) line += "(" + std::string(event.prev->value()) + ")";
    }
    lines.push_back(line);
    lists.push_back(events);
    bytes += encoded_size(*events);
  }
  void on_progress(WatchId id, Revision header) override {
    lines.push_back("progress " + std::to_string(id.value) + " @" + std::to_string(header.value));
  }
  void on_compacted(WatchId id, Revision compact) override {
    lines.push_back("compacted " + std::to_string(id.value) + " " + std::to_string(compact.value));
  }
  void on_canceled(WatchId id, Revision header) override {
    lines.push_back("canceled " + std::to_string(id.value) + " @" + std::to_string(header.value));
  }
  void on_closed(Status status) override {
    lines.push_back("closed " + std::to_string(static_cast<int>(status.error())));
  }
  std::vector<std::string> take() { return std::exchange(lines, {}); }

  std::vector<std::string> lines;
  std::vector<WatchEvents> lists;
  size_t bytes = 0;
};

}  // namespace lattice::replica
