// Reads the log into the state: everything at the start, what others have appended later. Checks
// that the chain is unbroken and that whole batches have the digest that their header says (P1,
// H1).
//
// Reading ahead prefetches, it does not release (S1): a batch is applied only when it is certain
// that its leader knows it to be committed. The leader's announcements tell (release()), later
// batches of the same leader do, or this replica has taken over behind it (docs/decisions/0004).
//
// Thread: the replica's loop. Changes: all of State, through replay().
// Invariants: the batches up to state.applied, then those in ahead_, then tip_ form one chain.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>

#include "replica/lifetime.h"
#include "replica/state.h"
#include "replica/takeover.h"

namespace lattice::replica {

class LogReader {
 public:
  // Errors: backend_corrupt when the log contradicts itself or what was read before; compacted when
  // the log has forgotten batches that this replica has not read, so that it must begin again;
  // others are the backend's and pass.
  using Done = StatusCallback;

  // `on_applied` is called after each step that has applied batches, also in the middle of a
  // reading: watches and reads must not see them apart.
  LogReader(State& state, absl::AnyInvocable<void()> on_applied)
      : state_(state), on_applied_(std::move(on_applied)) {}

  // Reads what lies behind the tip. Requires: !reading(), nothing staged.
  void read(Done done);
  bool reading() const { return done_ != nullptr; }
  // A batch that came another way, by the fan-out. Taken, as read ahead, only if it follows the tip
  // and is what its digest says; answers whether it was. Requires: !reading(), loaded().
  bool offer(Batch batch);
  // Everything up to this position is committed, and known to be: applies what was read of it, and
  // the rest when it is read. A position that is not in the chain is ignored.
  Status release(const Position& announced);
  // The newest release is behind the tip: there is more to be read.
  bool lacks_announced() const { return announced_.seq > tip_.seq; }
  // The newest batch that was read or announced.
  Seq newest_known() const { return std::max(tip_.seq, announced_.seq); }
  // All that was read is known to be durable and announced.
  Status apply_all();
  // This replica has appended a batch itself, and applied it.
  void advance(const BatchHeader& header) { tip_ = header; }
  // Begins again with an empty state.
  void restart();

  // Where the newest takeover that was read was appended.
  const LogServer& server() const { return server_; }
  // What was read ends the log, applied or not: nothing may be appended any more.
  const std::optional<Seal>& seal() const { return seal_; }
  // How often it has begun again.
  uint64_t restarts() const { return restarts_; }
  // The newest batch read, applied or not; seq 0: none. Its epoch and incarnation name the leader.
  const BatchHeader& tip() const { return tip_; }
  // No deletion of a compaction can have run since the log ended with `seq`, by what was read.
  bool settled_at(Seq seq) const {
    return compact_ == Seq(0) || (done_seq_ > compact_ && done_seq_ <= seq);
  }
  // Everything was read once.
  bool loaded() const { return loaded_; }

 private:
  void receive(Log::LoadedBatch batch);
  void take(Log::LoadedBatch batch);
  Status check(const Log::LoadedBatch& batch);
  bool follows_tip(const BatchHeader& header) const;
  Status check_holes() const;
  // Applies those at the front of what was read ahead, up to `last`.
  Status apply_until(Seq last);
  Status apply_announced(const Position& announced);
  void finish(Status status);
  void report(bool done);

  State& state_;
  absl::AnyInvocable<void()> on_applied_;
  Lifetime lifetime_;
  std::deque<Log::LoadedBatch> ahead_;
  BatchHeader tip_;
  LogServer server_;
  std::optional<Seal> seal_;
  Position announced_;  // the newest
  bool loaded_ = false;
  Done done_;
  uint64_t restarts_ = 0;  // what an earlier reading still brings is not wanted
  Status status_;          // the first thing wrong with what this read brought
  Seq hole_;               // the newest batch behind which headers or of which records are missing
  Seq done_seq_;           // the newest batch with a `compact_done` record
  Seq compact_;            // the newest batch with a `compact` record: only that explains holes
  Observer::LoadProgress progress_;
  Instant started_;
  Instant reported_;
};

}  // namespace lattice::replica
