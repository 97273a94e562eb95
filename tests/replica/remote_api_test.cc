// The replica seen from another loop.
#include <deque>
#include <optional>

#include "replica/fixture.h"
#include "replica/remote_api.h"

namespace lattice::replica {
namespace {

// Two loops as two queues; a test decides when each of them runs.
struct TwoLoops {
  std::deque<Mailbox::Task> owner;
  std::deque<Mailbox::Task> home;

  Mailbox mailbox() {
    return {[this](Mailbox::Task task) { owner.push_back(std::move(task)); },
            [this](Mailbox::Task task) { home.push_back(std::move(task)); }};
  }
  static void run(std::deque<Mailbox::Task>& queue) {
    while (!queue.empty()) {
      Mailbox::Task task = std::move(queue.front());
      queue.pop_front();
      task();
    }
  }
};

// Sessions of a database that stops answering.
class FallingSilent final : public Sessions {
 public:
  explicit FallingSilent(std::unique_ptr<Sessions> inner) : inner_(std::move(inner)) {}
  void open(const Incarnation& incarnation, const NodeInfo& node, StatusCallback done) override {
    if (!silent) inner_->open(incarnation, node, std::move(done));
  }
  void renew(const Incarnation& incarnation, std::vector<Announcement> news,
             StatusCallback done) override {
    if (!silent) inner_->renew(incarnation, std::move(news), std::move(done));
  }
  void list(Callback<std::vector<SessionRow>> done) override {
    if (!silent) inner_->list(std::move(done));
  }
  void read(const Incarnation& incarnation, const LogId& log,
            Callback<std::optional<SessionRow>> done) override {
    if (!silent) inner_->read(incarnation, log, std::move(done));
  }
  void declare_dead(const Incarnation& incarnation, int64_t renewals,
                    Callback<bool> done) override {
    if (!silent) inner_->declare_dead(incarnation, renewals, std::move(done));
  }
  void release(const Incarnation& incarnation, StatusCallback done) override {
    if (!silent) inner_->release(incarnation, std::move(done));
  }
  bool silent = false;

 private:
  std::unique_ptr<Sessions> inner_;
};

}  // namespace

TEST_CASE("every loop knows whether anybody leads") {
  Fixture f({}, 1, /*exclusive=*/false);
  auto owned = std::make_unique<FallingSilent>(f.store.open_sessions(f.environment));
  FallingSilent& sessions = *owned;
  f.membership = std::make_unique<Membership>(f.options, f.environment, std::move(owned));
  f.replica = f.make(f.membership.get());
  TwoLoops loops;
  RemoteApi remote(*f.replica, f.replica->published(), loops.mailbox(), f.environment);
  CHECK_FALSE(remote.has_leader());
  f.replica->start();
  f.run_until([&] { return f.replica->can_linearize(); });
  CHECK(remote.has_leader());
  CHECK(f.replica->has_leader());
  f.run_for(std::chrono::seconds(5));
  CHECK(remote.has_leader());
  // Another can have taken over once the session was not renewed for its TTL.
  sessions.silent = true;
  f.run_for(f.options.session_ttl);
  CHECK_FALSE(f.replica->can_linearize());
  CHECK_FALSE(remote.has_leader());
  CHECK_FALSE(f.replica->has_leader());
}

TEST_CASE("every loop of a standby knows whether the other one leads") {
  Fixture f({}, 1, /*exclusive=*/false);
  f.membership =
      std::make_unique<Membership>(f.options, f.environment, f.store.open_sessions(f.environment));
  f.replica = f.make(f.membership.get());
  f.replica->start();
  f.run_until([&] { return f.replica->can_linearize(); });
  Membership standbys(f.options, f.environment, f.store.open_sessions(f.environment));
  auto standby = f.make(&standbys);
  standby->start();
  TwoLoops loops;
  RemoteApi remote(*standby, standby->published(), loops.mailbox(), f.environment);
  f.run_for(std::chrono::seconds(3));
  CHECK(remote.has_leader());
  f.replica.reset();
  f.membership.reset();
  f.run_until([&] { return !remote.has_leader(); });
  CHECK_FALSE(standby->leads());
  f.run_until([&] { return remote.has_leader(); });
  CHECK(standby->leads());
}

TEST_CASE("the times of an operation come home with its answer") {
  Fixture f;
  f.start();
  TwoLoops loops;
  RemoteApi remote(*f.replica, f.replica->published(), loops.mailbox(), f.environment);
  std::optional<OperationTimes> times;
  remote.put(put_request("a", "1"),
             [&](const Result<keyspace::PutResult>&) { times = remote.times(); });
  TwoLoops::run(loops.owner);
  f.run_until([&] { return !loops.home.empty(); });
  CHECK(remote.times().asked == Instant::never());
  TwoLoops::run(loops.home);
  REQUIRE(times);
  CHECK(times->asked <= times->submitted);
  CHECK(times->settled != Instant::never());
  CHECK(remote.times().asked == Instant::never());
}

TEST_CASE("calls run on the owner's loop and are answered at home") {
  Fixture f;
  f.start();
  TwoLoops loops;
  RemoteApi remote(*f.replica, f.replica->published(), loops.mailbox(), f.environment);
  Answer<keyspace::PutResult> put;
  remote.put(put_request("a", "1"), put.callback());
  CHECK(f.replica->applied_revision() == Revision(1));
  loops.run(loops.owner);
  f.run_until([&] { return remote.applied_revision() == Revision(2); });
  CHECK_FALSE(put.given());
  loops.run(loops.home);
  REQUIRE(put.given());
  CHECK((*put)->header_revision == Revision(2));
  CHECK(remote.epoch() == 1);
  Answer<keyspace::RangeResult> range;
  remote.range(get_request("a"), range.callback());
  loops.run(loops.owner);
  f.run_for(std::chrono::milliseconds(1));  // reads of one key are answered when the turn ends
  loops.run(loops.home);
  REQUIRE(range.given());
  CHECK((*range)->kvs.at(0)->value() == "1");
}

TEST_CASE("a callback that is never called is destroyed at home") {
  TwoLoops loops;
  Fixture f;
  f.replica = f.make();  // not started: the read waits
  bool destroyed = false;
  struct Witness {
    explicit Witness(bool* out) : flag(out) {}
    Witness(Witness&& other) noexcept : flag(std::exchange(other.flag, nullptr)) {}
    ~Witness() {
      if (flag != nullptr) *flag = true;
    }
    bool* flag;
  };
  {
    RemoteApi remote(*f.replica, f.replica->published(), loops.mailbox(), f.environment);
    remote.range(get_request("a"), [witness = Witness(&destroyed)](const auto&) {});
  }
  loops.run(loops.owner);
  f.replica.reset();
  CHECK_FALSE(destroyed);
  loops.run(loops.home);
  CHECK(destroyed);
}

TEST_CASE("watch events cross the loops in order, and stop when the stream is destroyed") {
  Fixture f;
  f.start();
  TwoLoops loops;
  RemoteApi remote(*f.replica, f.replica->published(), loops.mailbox(), f.environment);
  RecordingSink sink;
  auto stream = remote.open_watch_stream(sink);
  stream->create(watch_of("a"));
  loops.run(loops.owner);
  REQUIRE(f.put("a", "1").ok());
  REQUIRE(f.put("a", "2").ok());
  CHECK(sink.lines.empty());
  loops.run(loops.home);
  CHECK(sink.take() ==
        std::vector<std::string>{"created 0 @1", "events 0 @2 +a=1@2", "events 0 @3 +a=2@3"});
  REQUIRE(f.put("a", "3").ok());
  stream.reset();
  loops.run(loops.home);
  loops.run(loops.owner);
  REQUIRE(f.put("a", "4").ok());
  loops.run(loops.home);
  CHECK(sink.lines.empty());
}

}  // namespace lattice::replica
