// The conformance suite of replica::Sessions (log-protocol L1 to L4).
#pragma once

#include "backends/log_world.h"
#include "replica/sessions.h"

namespace lattice::backends {

inline std::optional<replica::SessionRow> read_session(LogWorld& world, replica::Sessions& sessions,
                                                       const replica::Incarnation& incarnation,
                                                       const replica::LogId& log = {}) {
  std::optional<Result<std::optional<replica::SessionRow>>> reply;
  sessions.read(incarnation, log,
                [&](Result<std::optional<replica::SessionRow>> r) { reply = std::move(r); });
  auto result = await(world, reply);
  REQUIRE_MESSAGE(result.ok(), result.status().detail());
  return *result;
}

inline bool declare_dead(LogWorld& world, replica::Sessions& sessions,
                         const replica::Incarnation& incarnation, int64_t renewals) {
  std::optional<Result<bool>> reply;
  sessions.declare_dead(incarnation, renewals, [&](Result<bool> r) { reply = std::move(r); });
  auto result = await(world, reply);
  REQUIRE_MESSAGE(result.ok(), result.status().detail());
  return *result;
}

inline Status renew(LogWorld& world, replica::Sessions& sessions,
                    const replica::Incarnation& incarnation,
                    std::vector<replica::Announcement> news = {}) {
  return await_status(world, [&](StatusCallback done) {
    sessions.renew(incarnation, std::move(news), std::move(done));
  });
}

inline std::vector<replica::SessionRow> list_sessions(LogWorld& world,
                                                      replica::Sessions& sessions) {
  std::optional<Result<std::vector<replica::SessionRow>>> reply;
  sessions.list([&](Result<std::vector<replica::SessionRow>> r) { reply = std::move(r); });
  auto result = await(world, reply);
  REQUIRE_MESSAGE(result.ok(), result.status().detail());
  return *result;
}

// What a row says of its process, and what the process announces with a renewal.
inline void check_node_and_position(LogWorld& world, replica::Sessions& sessions) {
  const auto first = incarnation_of(11);
  const auto second = incarnation_of(12);
  const replica::NodeInfo plain{"a", "127.0.0.1:2380", {}};
  const replica::NodeInfo rich{
      "b \"quoted\", {braced}", "[::1]:2380", {"http://a:2379", "", "https://b,c:2379"}};
  CHECK(await_status(world, [&](StatusCallback done) {
          sessions.open(first, plain, std::move(done));
        }).ok());
  CHECK(await_status(world, [&](StatusCallback done) {
          sessions.open(second, rich, std::move(done));
        }).ok());
  CHECK(read_session(world, sessions, second)->node == rich);
  CHECK(read_session(world, sessions, first)->announced == Position{});

  const replica::LogId log{1};
  const replica::LogId other{2};
  Position announced;
  announced.seq = Seq(7);
  announced.digest.fill(0xab);
  Position of_other = announced;
  of_other.seq = Seq(3);
  CHECK(renew(world, sessions, second, {{log, announced}, {other, of_other}}).ok());
  CHECK(read_session(world, sessions, second, log)->announced == announced);
  CHECK(read_session(world, sessions, second, other)->announced == of_other);
  CHECK(read_session(world, sessions, second)->announced == Position{});
  CHECK(renew(world, sessions, second).ok());  // nothing new
  CHECK(read_session(world, sessions, second, log)->announced == announced);
  announced.seq = Seq(8);
  CHECK(renew(world, sessions, second, {{log, announced}}).ok());
  CHECK(read_session(world, sessions, second, log)->announced == announced);
  CHECK(read_session(world, sessions, second, other)->announced == of_other);
  // Another process's word is its own.
  CHECK(read_session(world, sessions, first, log)->announced == Position{});
  of_other.seq = Seq(4);
  CHECK(renew(world, sessions, first, {{other, of_other}}).ok());
  CHECK(read_session(world, sessions, first, other)->announced == of_other);
  CHECK(read_session(world, sessions, second, other)->announced.seq == Seq(3));

  auto rows = list_sessions(world, sessions);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].node == plain);
  CHECK(rows[1].node == rich);
  CHECK(rows[1].incarnation == second);
  CHECK(rows[1].renewals == 3);
  for (const auto& incarnation : {first, second}) {
    CHECK(await_status(world, [&](StatusCallback done) {
            sessions.release(incarnation, std::move(done));
          }).ok());
  }
  CHECK(list_sessions(world, sessions).empty());
}

inline void run_session_suite(LogWorld& world, replica::Sessions& sessions) {
  const auto mine = incarnation_of(1);
  const auto theirs = incarnation_of(2);
  CHECK_FALSE(read_session(world, sessions, mine).has_value());
  CHECK(renew(world, sessions, mine).error() == Error::not_leader);

  for (const auto& incarnation : {mine, theirs}) {
    CHECK(await_status(world, [&](StatusCallback done) {
            sessions.open(incarnation, {"n", "127.0.0.1:2379", {}}, std::move(done));
          }).ok());
  }
  CHECK(renew(world, sessions, mine).ok());
  CHECK(renew(world, sessions, mine).ok());
  auto row = read_session(world, sessions, mine);
  REQUIRE(row.has_value());
  CHECK(row->incarnation == mine);
  CHECK(row->renewals == 2);
  CHECK_FALSE(row->dead);
  CHECK(row->node.address == "127.0.0.1:2379");

  // An incarnation is never reused.
  CHECK_FALSE(await_status(world, [&](StatusCallback done) {
                sessions.open(mine, {"n", "elsewhere", {}}, std::move(done));
              }).ok());

  // Several questions at once have their own answers.
  std::vector<std::optional<replica::SessionRow>> answers;
  for (const auto& incarnation : {theirs, incarnation_of(3), mine}) {
    sessions.read(incarnation, {}, [&](Result<std::optional<replica::SessionRow>> answer) {
      REQUIRE(answer.ok());
      answers.push_back(std::move(*answer));
    });
  }
  CHECK(read_session(world, sessions, mine)->renewals == 2);
  REQUIRE(answers.size() == 3);
  CHECK(answers[0]->incarnation == theirs);
  CHECK_FALSE(answers[1].has_value());
  CHECK(answers[2]->incarnation == mine);

  // Declaring dead needs exactly what was seen.
  CHECK_FALSE(declare_dead(world, sessions, mine, 1));
  CHECK(renew(world, sessions, mine).ok());
  CHECK(declare_dead(world, sessions, mine, 3));
  CHECK_FALSE(declare_dead(world, sessions, mine, 3));
  CHECK(renew(world, sessions, mine).error() == Error::not_leader);
  CHECK(read_session(world, sessions, mine)->dead);

  CHECK(renew(world, sessions, theirs).ok());
  CHECK(await_status(world, [&](StatusCallback done) {
          sessions.release(theirs, std::move(done));
        }).ok());
  CHECK(read_session(world, sessions, theirs)->dead);
  CHECK(renew(world, sessions, theirs).error() == Error::not_leader);
  check_node_and_position(world, sessions);
}

}  // namespace lattice::backends
