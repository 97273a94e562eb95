// Calibration: for each rule of the log protocol a bug that breaks it is planted, and the simulator
// has to find it. What it cannot find is a hole in its faults, its clients or its checks.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "sim/guarded.h"
#include "sim/long_lease.h"
#include "sim/lost_history.h"
#include "sim/simulation.h"

namespace lattice::sim {
namespace {

// How many seeds a bug is given: several times as many as it took when it was entered here, since
// every change of the simulation shuffles them.
struct Case {
  Planted bug;
  uint64_t seeds_max;  // 0: long_lease.h, lost_history.h or guarded.h finds it
};

constexpr Case cases[] = {
    {Planted::chain_not_checked, 400},
    {Planted::append_ignores_digest, 3000},
    {Planted::clean_error_settles, 400},
    {Planted::ambiguous_is_failed, 100},
    {Planted::ambiguous_is_new, 100},
    {Planted::naive_token_check, 100},
    {Planted::look_trusted, 400},
    {Planted::barrier_without_commit, 100},
    {Planted::empty_not_awaited, 100},
    {Planted::ack_before_commit, 100},
    {Planted::session_renewed_in_name, 100},
    {Planted::session_counted_from_reply, 3000},
    {Planted::takeover_without_waiting, 100},
    {Planted::takeover_not_awaited, 100},
    {Planted::leader_read_unfenced, 400},
    {Planted::move_without_stepping_down, 400},
    {Planted::read_ahead_released, 100},
    {Planted::follower_read_unfenced, 100},
    {Planted::older_position_reused, 3000},
    {Planted::lost_call_repeated, 100},
    {Planted::forwarded_answered_early, 100},
    {Planted::fanout_unverified, 100},
    {Planted::fanout_out_of_order, 100},
    {Planted::fanout_digest_ignored, 3000},
    {Planted::watch_from_now_unfenced, 100},
    {Planted::wall_clock_deadlines, 100},
    {Planted::checkpoints_ignored, 0},
    {Planted::checkpoint_not_reset, 0},
    {Planted::two_reapers, 100},
    {Planted::deposed_lease_owner, 400},
    {Planted::tombstone_lost_at_compact, 100},
    {Planted::deleted_newest_first, 100},
    {Planted::trimmed_not_noticed, 100},
    {Planted::jump_not_appended, 0},
    {Planted::jump_too_short, 0},
    {Planted::watches_survive_jump, 0},
    {Planted::compacted_read_answered, 100},
    {Planted::error_at_compact_revision, 100},
    {Planted::progress_is_head, 100},
    {Planted::skip_on_full_queue, 100},
    {Planted::resume_misses, 100},
    {Planted::resume_repeats, 100},
    {Planted::unbounded_queue, 400},
    {Planted::revision_split, 100},
    {Planted::wrong_prev_kv, 100},
    {Planted::nested_txn_unguarded, 0},
    {Planted::open_watch_unguarded, 0},
    {Planted::permissions_not_forgotten, 0},
    {Planted::revoked_token_accepted, 0},
    {Planted::ended_token_accepted, 0},
    {Planted::watch_outlives_token, 0},
    {Planted::realm_not_checked, 0},
    {Planted::future_revision_leak, 100},
    {Planted::version_not_reset, 100},
    {Planted::no_op_bumps_revision, 100},
    {Planted::txn_sees_pre_state, 100},
};

// What only a real database has. Each names the test that stands for it.
struct Elsewhere {
  std::string_view rule;
  std::string_view file;
  std::string_view test;
};
constexpr Elsewhere elsewhere[] = {
    {"P3", "backends/postgres_outcome_pgtest.cc",
     "postgres outcomes: a zombie that commits late loses nothing and doubles nothing"},
    {"L1", "backends/postgres_pgtest.cc", "postgres: the session suite"},
    {"L6", "backends/postgres_schema_pgtest.cc",
     "postgres schema: servers that cannot keep the promise are not written to"},
};

constexpr std::string_view rules[] = {"P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8",
                                      "L1", "L2", "L3", "L4", "L5", "L6", "S1", "S2",
                                      "S3", "S4", "S5", "T1", "H1", "H2", "H3"};

const PlantedBug& description(Planted bug) {
  return *std::ranges::find(planted_bugs(), bug, &PlantedBug::bug);
}

bool is_broken_by_a_case(std::string_view rule) {
  return std::ranges::any_of(cases,
                             [rule](const Case& one) { return description(one.bug).rule == rule; });
}

bool is_covered_elsewhere(std::string_view rule) {
  const auto* at = std::ranges::find(elsewhere, rule, &Elsewhere::rule);
  if (at == std::end(elsewhere)) return false;
  std::ifstream file(std::string(LATTICE_SOURCE_DIR "/tests/").append(at->file));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str().find('"' + std::string(at->test) + '"') != std::string::npos;
}

}  // namespace

TEST_CASE("each rule has a bug that breaks it") {
  for (const std::string_view rule : rules) {
    CAPTURE(rule);
    CHECK(is_broken_by_a_case(rule) != is_covered_elsewhere(rule));
  }
}

TEST_CASE("each planted bug is found") {
  for (const Case& one : cases) {
    const PlantedBug& bug = description(one.bug);
    const auto found = hunt(one.bug, one.seeds_max);
    std::printf(
        "%-4s %-28s seed %4llu of %4llu  %s\n", std::string(bug.rule).c_str(),
        std::string(bug.name).c_str(), static_cast<unsigned long long>(found ? found->seed : 0),
        static_cast<unsigned long long>(one.seeds_max), found ? found->check.c_str() : "NOT FOUND");
    CAPTURE(bug.name);
    CHECK(found.has_value());
  }
}

TEST_CASE("a long lease lives for its time, whoever leads") { CHECK(long_lease_problem().empty()); }

TEST_CASE("a lost history ends in a jump, and so do the watches") {
  CHECK(lost_history_problem() == "");
}

TEST_CASE("what one of three replicas acknowledged about users, all judge by") {
  CHECK(guarded_problem() == "");
}

}  // namespace lattice::sim
