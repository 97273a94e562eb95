// A primary, its standby, and what a promotion does to logs and sessions (log-protocol P6, P7, L6,
// H3).

#include <arpa/inet.h>

#include "backends/postgres_pair.h"
#include "backends/postgres_world.h"
#include "backends/resolve.h"
#include "backends/session_suite.h"

namespace lattice::backends {
namespace {

using replica::AppendOutcome;
using replica::AppendReply;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

Status barrier(LogWorld& world, replica::Log& log) {
  return await_status(world, [&](StatusCallback done) { log.barrier(std::move(done)); });
}

void turn_for(LogWorld& world, milliseconds time) {
  const auto end = steady_clock::now() + time;
  while (steady_clock::now() < end) world.turn();
}

int64_t milliseconds_since(steady_clock::time_point from) {
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - from).count();
}

// A host that lets nobody in and says nothing: the queue of its listening socket is full.
class BlackHole {
 public:
  BlackHole() {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fds_.push_back(socket(AF_INET, SOCK_STREAM, 0));
    auto* raw = reinterpret_cast<sockaddr*>(&address_);
    socklen_t size = sizeof(address_);
    REQUIRE(bind(fds_[0], raw, size) == 0);
    REQUIRE(listen(fds_[0], 0) == 0);
    REQUIRE(getsockname(fds_[0], raw, &size) == 0);
    for (int i = 0; i < 4; ++i) {
      fds_.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      (void)connect(fds_.back(), raw, size);
    }
  }
  BlackHole(const BlackHole&) = delete;
  BlackHole& operator=(const BlackHole&) = delete;
  ~BlackHole() {
    for (const int fd : fds_) close(fd);
  }
  int port() const { return ntohs(address_.sin_port); }

 private:
  sockaddr_in address_{};
  std::vector<int> fds_;
};

PostgresOptions options_for(std::string url, PgDurability durability = {}) {
  PostgresOptions options;
  options.url = std::move(url);
  options.durability = durability;
  return options;
}

// Renews until `wanted` holds, as a process does, and answers what the last renewal said.
Status renew_until(PostgresWorld& world, replica::Sessions& sessions,
                   const std::function<bool(const Status&)>& wanted) {
  const auto deadline = steady_clock::now() + std::chrono::seconds(20);
  Status status = renew(world, sessions, incarnation_of(1));
  while (!wanted(status) && steady_clock::now() < deadline) {
    turn_for(world, milliseconds(20));
    status = renew(world, sessions, incarnation_of(1));
  }
  CHECK_MESSAGE(wanted(status), status.detail());
  return status;
}

std::unique_ptr<replica::Sessions> open_sessions(PostgresWorld& world) {
  auto sessions = world.store().open_sessions();
  REQUIRE(await_status(world, [&](StatusCallback done) {
            sessions->open(incarnation_of(1), {"n", "", {}}, std::move(done));
          }).ok());
  return sessions;
}

// A reload of the server that relaxes what quorum mode relies on closes writes (L6).
void relaxing_closes_writes(PostgresPair& pair) {
  const std::string database = pair.primary().create_database();
  PostgresWorld world(options_for(pair.url(database), {PgDurabilityMode::quorum, 2}));
  auto log = world.open_log("quorum");
  CHECK(log->survives_failover());
  auto sessions = open_sessions(world);
  Chain chain(log->id());
  must_append(world, *log, chain, {put_record(2, "k", "v")});

  // It also lets go of the commits that wait: they look like any other, and are not believed.
  pair.pause_receiver();
  std::optional<AppendReply> reply;
  auto batch = chain.next({put_record(3, "k", "v")});
  log->append(batch, [&](AppendReply r) { reply = std::move(r); });
  turn_for(world, milliseconds(200));
  CHECK_FALSE(reply);
  pair.primary().reload("synchronous_standby_names = ''");
  const AppendReply released = await(world, reply);
  CHECK(released.outcome == AppendOutcome::unknown);
  CHECK_FALSE(released.definite_error);
  pair.resume_receiver();

  const Status status = renew_until(world, *sessions, [](const Status& s) { return !s.ok(); });
  CHECK(status.error() == Error::unhealthy);
  CHECK(status.detail().find("synchronous_standby_names = 'ANY 1 (...)'") != std::string::npos);
  turn_for(world, milliseconds(300));
  CHECK(world.store().health().error() == Error::unhealthy);
  CHECK(world.store().health().detail().find("synchronous_standby_names") != std::string::npos);
  const AppendReply refused = append(world, *log, batch);
  CHECK(refused.outcome == AppendOutcome::unknown);
  CHECK(refused.definite_error);

  pair.primary().reload("synchronous_standby_names = '*'");
  ResolveCounts counts;
  REQUIRE(resolve_append(world, *log, batch, &counts));
  chain.advance(*batch);
  CHECK(world.store().health().ok());
  check_whole_log(world, *log, chain);
}

// Who knows no other server than the isolated old primary gets no answer that counts.
void old_primary_is_of_no_use(PostgresWorld& pinned, replica::Log& log, Chain& chain) {
  CHECK(head(pinned, log).newest.seq <= Seq(3));
  CHECK_FALSE(barrier(pinned, log).ok());
  const AppendReply reply = append(pinned, log, chain.next({put_record(6, "k", "v")}));
  CHECK(reply.outcome != AppendOutcome::committed);
}

// And who has heard of the promoted one leaves the old one at once, and says why.
void newer_timeline_closes(PostgresWorld& knowing, replica::Log& log, Chain& chain) {
  CHECK_FALSE(barrier(knowing, log).ok());
  turn_for(knowing, milliseconds(300));
  const AppendReply reply = append(knowing, log, chain.next({put_record(6, "k", "v")}));
  CHECK(reply.definite_error);
  CHECK(knowing.store().health().detail().find("timeline 2") != std::string::npos);
}

TEST_CASE("postgres failover: a synchronous standby") {
  PostgresPair pair(true);
  relaxing_closes_writes(pair);
  const std::string database = pair.primary().create_database();

  PostgresOptions options = options_for(pair.url(database));
  options.timelines = std::make_shared<PgTimelines>();
  std::vector<std::string> warnings;
  PostgresWorld world(options);
  auto log = world.open_log("a");
  auto sessions = open_sessions(world);
  Chain chain(log->id());
  must_append(world, *log, chain, {put_record(2, "k", "v")});
  CHECK(log->server().timeline == 1);
  CHECK(log->server().system != 0);
  CHECK_FALSE(log->survives_failover());
  PostgresOptions to_primary = options_for(pair.primary().url(database));
  to_primary.statement_patience = milliseconds(700);
  PostgresWorld pinned(to_primary);
  auto pinned_log = pinned.open_log("a");
  CHECK(barrier(pinned, *pinned_log).ok());
  to_primary.timelines = options.timelines;
  to_primary.warn = [&](const std::string& warning) { warnings.push_back(warning); };
  PostgresWorld knowing(to_primary);
  auto knowing_log = knowing.open_log("a");

  // Commits wait for the standby, for as long as it takes.
  std::optional<AppendReply> reply;
  pair.pause_receiver();
  auto batch = chain.next({put_record(3, "k", "v")});
  log->append(batch, [&](AppendReply r) { reply = std::move(r); });
  turn_for(world, milliseconds(300));
  CHECK_FALSE(reply);
  pair.resume_receiver();
  CHECK(await(world, reply).outcome == AppendOutcome::committed);
  chain.advance(*batch);

  // One that still waits when the standby is promoted was never acknowledged, and is lost with the
  // old primary.
  pair.cut_replication();
  reply.reset();
  batch = chain.next({put_record(4, "k", "v")});
  log->append(batch, [&](AppendReply r) { reply = std::move(r); });
  turn_for(world, milliseconds(50));
  pair.promote();
  const auto promoted = steady_clock::now();
  CHECK_FALSE(reply);
  // The old primary is there, silent; the renewal that finds the new one makes the append follow.
  (void)renew_until(world, *sessions, [](const Status& s) { return s.ok(); });
  MESSAGE("the session was renewed ", milliseconds_since(promoted), " ms after the promotion");
  ResolveCounts counts;
  REQUIRE(resolve_append(world, *log, batch, &counts));
  chain.advance(*batch);
  MESSAGE("the append was through after ", milliseconds_since(promoted), " ms");
  CHECK(await(world, reply).outcome == AppendOutcome::unknown);
  CHECK(log->server().timeline == 2);
  CHECK(barrier(world, *log).ok());
  must_append(world, *log, chain, {put_record(5, "k", "v")});
  check_whole_log(world, *log, chain);

  old_primary_is_of_no_use(pinned, *pinned_log, chain);
  newer_timeline_closes(knowing, *knowing_log, chain);
  REQUIRE_FALSE(warnings.empty());
  CHECK(warnings[0].find("left behind") != std::string::npos);
}

TEST_CASE("postgres failover: an asynchronous standby that lacks the end of the log") {
  PostgresPair pair(false);
  const std::string database = pair.primary().create_database();
  PostgresWorld world(options_for(pair.url(database)));
  auto log = world.open_log("a");
  CHECK_FALSE(log->survives_failover());
  Chain chain(log->id());
  must_append(world, *log, chain, {put_record(2, "k", "v")});
  Chain kept = chain;
  pair.wait_until_replayed();
  pair.cut_replication();
  must_append(world, *log, chain, {put_record(3, "k", "v")});
  must_append(world, *log, chain, {put_record(4, "k", "v")});
  const replica::LogServer before = log->server();
  pair.primary().stop(SIGQUIT);
  pair.promote();
  const auto promoted = steady_clock::now();
  while (!barrier(world, *log).ok()) turn_for(world, milliseconds(5));
  MESSAGE("the promoted standby was found after ", milliseconds_since(promoted), " ms");
  CHECK(milliseconds_since(promoted) < 2000);

  // The same system on a later timeline, and a log that ends earlier.
  CHECK(log->server().system == before.system);
  CHECK(log->server().timeline == before.timeline + 1);
  CHECK(head(world, *log).newest.seq == Seq(1));
  CHECK_FALSE(look(world, *log, Seq(3)).header.has_value());
  CHECK(append(world, *log, chain.next({put_record(5, "k", "v")})).outcome ==
        AppendOutcome::rejected);
  check_whole_log(world, *log, kept);
  must_append(world, *log, kept, {put_record(1'000'000'002, "k", "v")});
  // As many batches again as were lost: the chain still tells the two histories apart.
  must_append(world, *log, kept, {put_record(1'000'000'003, "k", "v")});
  CHECK(append(world, *log, chain.next({put_record(5, "k", "v")})).outcome ==
        AppendOutcome::rejected);

  // A demotion under a running connection: refused, definitely, and left.
  pair.standby().sql(database, "ALTER SYSTEM SET default_transaction_read_only = on");
  pair.standby().sql(database, "SELECT pg_reload_conf()");
  PostgresPair::wait_for(pair.standby(), "SHOW default_transaction_read_only", "on");
  const AppendReply reply = append(world, *log, kept.next({put_record(1'000'000'004, "k", "v")}));
  CHECK(reply.definite_error);
  turn_for(world, milliseconds(200));
  CHECK_FALSE(world.store().health().ok());
  CHECK(world.store().health().detail().find("read-only") != std::string::npos);
}

TEST_CASE(
    "postgres failover: a dead host costs a second, and what the URL asks for is passed over") {
  const std::string database = shared_server().create_database();
  const BlackHole dead;
  const std::string hosts = "postgresql://lattice@127.0.0.1:" + std::to_string(dead.port()) +
                            ",127.0.0.1:" + std::to_string(shared_server().port()) + "/" + database;
  const auto from = steady_clock::now();
  PostgresWorld world(options_for(hosts + "?target_session_attrs=standby"));
  const int64_t opened = milliseconds_since(from);
  auto log = world.open_log("a");
  Chain chain(log->id());
  must_append(world, *log, chain, {put_record(2, "k", "v")});
  // One second to open, and one for the append's connection, which is made then.
  MESSAGE("open after ", opened, " ms, appended after ", milliseconds_since(from), " ms");
  CHECK(opened >= 900);
  CHECK(opened < 2000);
  CHECK(milliseconds_since(from) < 4000);
  // A connection that was there goes back to where it was.
  shared_server().sql("postgres",
                      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                      "application_name = 'lattice append' AND datname = '" +
                          database + "'");
  turn_for(world, milliseconds(20));
  const auto lost = steady_clock::now();
  while (!barrier(world, *log).ok()) turn_for(world, milliseconds(5));
  CHECK(milliseconds_since(lost) < 900);
}

}  // namespace
}  // namespace lattice::backends
