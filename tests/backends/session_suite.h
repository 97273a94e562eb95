// The conformance suite of replica::Sessions (log-protocol L1 to L4).
#pragma once

#include "backends/log_world.h"
#include "replica/sessions.h"

namespace lattice::backends {

inline std::optional<replica::SessionRow> read_session(LogWorld& world, replica::Sessions& sessions,
                                                       const replica::Incarnation& incarnation) {
  std::optional<Result<std::optional<replica::SessionRow>>> reply;
  sessions.read(incarnation,
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
                    const replica::Incarnation& incarnation) {
  return await_status(world, [&](StatusCallback done) {
    sessions.renew(incarnation, Position{}, std::move(done));
  });
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
}

}  // namespace lattice::backends
