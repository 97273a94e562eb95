// Bugs that can be planted, one at a time and by name, to see that the tests find them: the
// calibration of the harness. Only a build with LATTICE_PLANTED_BUGS has them; in every other one
// planted() is false for the compiler already, and nothing of this is left.
//
// Thread: planted() any; plant() before other threads start.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

// name, the rule (log-protocol) or invariant (reliability.md section 2) that it breaks, how.
#define LATTICE_PLANTED(X)                                                                       \
  /* ---- The log ---- */                                                                        \
  X(chain_not_checked, "P1", "a reader takes batches that do not fit the chain")                 \
  X(append_ignores_digest, "P2", "an append follows any batch with the number before its own")   \
  X(clean_error_settles, "P4", "a clean error settles earlier submissions of its batch, too")    \
  X(ambiguous_is_failed, "P4", "an append of unknown outcome is called failed")                  \
  X(ambiguous_is_new, "P5", "an append of unknown outcome is evaluated again, as a new batch")   \
  X(naive_token_check, "P5", "an append of unknown outcome is looked for, not submitted again")  \
  X(look_trusted, "P6", "what a look at the log shows counts without a barrier")                 \
  X(barrier_without_commit, "P7", "a barrier answers without a commit")                          \
  X(empty_not_awaited, "P8", "an operation without records does not wait for what it saw")       \
  X(ack_before_commit, "A3", "a write is answered when it is sent to the log")                   \
  /* ---- Leadership ---- */                                                                     \
  X(session_renewed_in_name, "L2", "a renewal is answered without changing the row")             \
  X(session_counted_from_reply, "L2", "a renewal counts from its reply")                         \
  X(takeover_without_waiting, "L3", "a session is declared dead before a TTL has passed")        \
  X(takeover_not_awaited, "L4", "a replica leads before its takeover is committed")              \
  X(leader_read_unfenced, "L5", "a leader reads without a look at its session")                  \
  X(move_without_stepping_down, "L5", "a leader goes on while another is told to take over")     \
  /* ---- What may be shown ---- */                                                              \
  X(read_ahead_released, "S1", "what was read ahead is shown at once")                           \
  X(follower_read_unfenced, "S2", "a follower reads without asking for the leader's position")   \
  X(older_position_reused, "S2", "a position serves reads that came after it was asked for")     \
  X(lost_call_repeated, "S3", "a forwarded call of unknown outcome is sent again")               \
  X(forwarded_answered_early, "S3", "a forwarded write is answered before it is committed")      \
  X(fanout_unverified, "S4", "a fan-out message is applied whatever its MAC and chain")          \
  X(fanout_out_of_order, "S4", "a fan-out message is applied though it does not follow the log") \
  X(fanout_digest_ignored, "S4", "a fan-out message follows any batch with the number before")   \
  X(watch_from_now_unfenced, "S5", "a watch from now on begins without the read fence")          \
  /* ---- Leases ---- */                                                                         \
  X(wall_clock_deadlines, "T1", "deadlines follow a clock that jumps")                           \
  X(checkpoints_ignored, "T1", "a new leader starts every lease afresh")                         \
  X(checkpoint_not_reset, "T1", "a renewal leaves the checkpoint in the log as it is")           \
  X(two_reapers, "E42", "a follower ends leases as well, by deadlines of its own")               \
  X(deposed_lease_owner, "E46", "a deposed leader ends a lease that it thinks is expired")       \
  /* ---- Compaction ---- */                                                                     \
  X(tombstone_lost_at_compact, "H1", "a compaction drops the tombstone at its own revision")     \
  X(deleted_newest_first, "H1", "what a compaction drops leaves the log in the wrong order")     \
  X(trimmed_not_noticed, "H2", "a replica below the trim position reads on")                     \
  X(compacted_read_answered, "H2", "a read below the compact revision is answered")              \
  X(jump_not_appended, "H3", "after a loss of history, the revision goes on from what is left")  \
  X(jump_too_short, "H3", "after a loss of history, the jump starts from what is left, by one")  \
  X(watches_survive_jump, "H3", "watches go on behind a jump as if nothing were missing")        \
  X(error_at_compact_revision, "C14", "a read at the compact revision itself is refused")        \
  /* ---- Watches ---- */                                                                        \
  X(progress_is_head, "D26", "a progress answer of a watch that is behind carries the head")     \
  X(skip_on_full_queue, "D24", "a watch without room misses events")                             \
  X(resume_misses, "D24", "a watch from a revision begins one behind it")                        \
  X(resume_repeats, "D21", "a watch from a revision begins one before it")                       \
  X(unbounded_queue, "3.3", "a slow watch stream is given more and more")                        \
  X(revision_split, "D23", "a revision's events come in two responses")                          \
  X(wrong_prev_kv, "D27", "an event's prev_kv is off by a revision")                             \
  /* ---- Users and tenants ---- */                                                              \
  X(nested_txn_unguarded, "E54", "what a transaction holds inside another is not checked")       \
  X(open_watch_unguarded, "E54", "a watch with an open end is checked as one of a single key")   \
  X(permissions_not_forgotten, "E53",                                                            \
    "a follower goes on with the permissions that it knew first")                                \
  X(revoked_token_accepted, "E53", "a follower keeps an API token that was revoked")             \
  X(ended_token_accepted, "E53", "an API token is good for longer than its time")                \
  X(watch_outlives_token, "E53", "watches go on when their API token is revoked")                \
  X(realm_not_checked, "E55", "a token of one tenant counts at every other")                     \
  X(any_tenant_answers, "E55", "a call is served from a tenant that happens to be loaded")       \
  /* ---- Keys ---- */                                                                           \
  X(future_revision_leak, "B13", "a read at a future revision shows what is not committed")      \
  X(version_not_reset, "B10", "a key that was deleted goes on counting its versions")            \
  X(no_op_bumps_revision, "B9", "an operation that changes nothing takes a revision")            \
  X(txn_sees_pre_state, "B8", "a transaction's reads see the state before it")

namespace lattice {

enum class Planted : uint8_t {
  none,
#define X(name, rule, breaks) name,
  LATTICE_PLANTED(X)
#undef X
};

#ifdef LATTICE_PLANTED_BUGS

struct PlantedBug {
  Planted bug = Planted::none;
  std::string_view name;
  std::string_view rule;
  std::string_view breaks;
};

// All but `none`, in their order.
std::span<const PlantedBug> planted_bugs();
// nullptr: there is no such bug.
const PlantedBug* find_planted(std::string_view name);
// Plants one; `none` takes it out.
void plant(Planted bug);
bool planted(Planted bug);

#else

constexpr bool planted(Planted) { return false; }

#endif

}  // namespace lattice
