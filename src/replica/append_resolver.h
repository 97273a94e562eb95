// Brings appends to a known outcome, however often the log answers `unknown` (log-protocol P4 to
// P6): the same batch is submitted again at the same position, then looked for, and what was seen
// counts only after a barrier. It never gives up while the log exists, because a verdict that is
// not certain would be a lost or a doubled write.
//
// A batch may be submitted while those that it builds on are in flight. Verdicts are reached oldest
// first (P5): whatever was answered about a younger batch, short of `committed`, says nothing while
// an older one is undecided, so the younger is submitted again when its turn has come.
//
// Thread: the replica's loop. Callbacks never run inside the call.
// Invariants: `committed` is answered only for a batch that is durable, and in the order of the
//   appends; `rejected` and `refused` only for one that is not in the log and never will be. A
//   verdict other than `committed` holds for all batches behind it, and ends them: without the one
//   that they build on they cannot be in the log. They are not called back.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "replica/lifetime.h"
#include "replica/state.h"

namespace lattice::replica {

class AppendResolver {
 public:
  enum class Verdict : uint8_t {
    committed,
    rejected,  // another batch is at this position, durably
    refused,   // the database has no space; the position is still free
    lost,  // the log no longer has the batch that this one follows, or has forgotten its position
  };
  using Done = absl::AnyInvocable<void(Verdict, const Status& detail)>;

  explicit AppendResolver(State& state) : state_(state) {}

  // Requires: !busy(), or that `batch` follows the newest one in flight.
  void append(std::shared_ptr<const Batch> batch, Done done);
  bool busy() const { return !entries_.empty(); }

 private:
  struct Entry {
    std::shared_ptr<const Batch> batch;
    Done done;
    bool committed = false;
    bool submitted = false;  // a reply is awaited
    // An earlier submission of this batch may still commit: a clean error no longer settles it.
    bool ambiguous = false;
    bool ended = false;  // its replies no longer matter
  };

  void submit(std::shared_ptr<Entry> entry);
  void submit_oldest() { submit(entries_.front()); }
  void on_reply(Entry& entry, const AppendReply& reply);
  void on_oldest_reply(const AppendReply& reply);
  void look();
  void on_look(const Result<Log::LookReply>& reply);
  // Reaches the verdict once a barrier has made durable what was seen; anything else starts over.
  void confirm(Verdict verdict, Status detail);
  void settle(Verdict verdict, const Status& detail);
  void retry(void (AppendResolver::*step)());
  void finish_committed();
  void finish(Verdict verdict, const Status& detail);
  void begin_oldest();

  State& state_;
  Lifetime lifetime_;
  std::deque<std::shared_ptr<Entry>> entries_;  // oldest first
  // Of the oldest.
  int missing_ = 0;  // looks in a row that found neither this batch nor another at its place
  Duration backoff_{};
  std::unique_ptr<Timer> timer_;
};

}  // namespace lattice::replica
