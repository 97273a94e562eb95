// The way of every write: proposals wait here while appends are in flight, then form the next
// batch. A batch is evaluated when it is appended, on the newest state, so the more load, the
// bigger the batch, the cheaper each write (DESIGN section 1).
//
// Two appends overlap under load: the second is evaluated on top of the first, whose outcome is
// still open, and waits at the database's door. So the database need not wait while this loop tells
// the callers of one batch and reads the requests of the next (docs/decisions/0005).
//
// Thread: the replica's loop. Callers are answered there, in order, after their batch is durable.
// Ownership: owns its proposals until they are answered.
// Invariants: a batch follows another that is in flight only if that one changes nothing but keys,
//   so of everything else at most one batch is staged. An operation is answered with success, or
//   with what it saw, only when every batch that it could see is committed (P8).
// Bounds: options.proposals_max waiting proposals, batch_records_max and batch_bytes_max per batch
//   (exceeded by at most one operation); less while other tenants want the loop, too.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "replica/append_resolver.h"
#include "replica/evaluator.h"
#include "replica/lifetime.h"
#include "replica/state.h"

namespace lattice::replica {

// How long something may wait, and what it is told then.
struct Patience {
  Duration limit{};
  Error error = Error::timeout;
};

class WriteQueue {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    // This replica leads: batches may be built on its state.
    virtual bool may_append() const = 0;
    // An answer that claims linearizability may be given now (the read fence).
    virtual bool can_linearize() const = 0;
    // For proposals and reads that wait for leadership.
    virtual Patience patience() const = 0;
    // Something waits for a moment when nothing is staged: appends must not overlap.
    virtual bool wants_quiet() const = 0;
    // Watches are still to be given so much that more of it has to wait.
    virtual bool distributing() const = 0;
    // Nothing is staged: the moment for work that needs it so.
    virtual void before_batch() = 0;
    // A batch is durable and applied; its callers are told next.
    virtual void on_committed(const Batch& batch) = 0;
    // What was in flight is rolled back because the log has moved on: catch up, then resume() or
    // abandon().
    virtual void on_rejected() = 0;
    virtual void on_lost(const Status& status) = 0;
    // A batch has ended, one way or the other, and its callers were told.
    virtual void on_settled() = 0;
  };

  WriteQueue(State& state, AppendResolver& resolver, Host& host)
      : state_(state), resolver_(resolver), host_(host), evaluator_(state) {}

  template <class Operation>
  void add(Operation operation, Sender sender) {
    if (waiting() >= state_.options.proposals_max) {
      operation.done(Status(Error::too_many_requests));
      return;
    }
    if (!state_.log.reachable()) return operation.done(unreachable());
    push(std::move(operation), std::move(sender));
  }
  // Without the bound: for the replica's own proposals, which its timers bound.
  template <class Operation>
  void add_internal(Operation operation) {
    push(std::move(operation), Origin::internal);
  }

  // Something that batches wait for may have changed.
  void schedule();
  // After on_rejected(): the same operations are evaluated again.
  void resume();
  // After on_rejected(): they certainly have no effect, and are answered with `status`.
  void abandon(const Status& status);
  // This replica does not lead: takes out all that is not in flight, which has had no effect.
  std::vector<Proposal> take_waiting();
  // Nothing more will be appended: answers what can still be answered. The outcome of a batch in
  // flight is not known, so `status` must be of the Unavailable family. What waits, or comes later,
  // is answered with `untouched`.
  void close(const Status& status, const Status& untouched);

  size_t waiting() const { return waiting_.size() - next_; }
  // Nothing is staged, so the keyspace may be compacted or replayed into.
  bool quiet() const { return in_flight_.empty(); }

 private:
  template <class Operation>
  void push(Operation operation, Sender sender) {
    if (closed_) {
      if (operation.done) operation.done(untouched_);
      return;
    }
    waiting_.push_back(
        {state_.environment.now(), sender.origin, std::move(sender.caller), std::move(operation)});
    schedule();
    arm_sweep();
  }

  struct Flight {
    std::vector<Proposal> proposals;
    std::shared_ptr<const Batch> batch;
    Instant submitted;
    bool only_keys = false;
  };

  bool may_begin() const;
  bool may_follow(const Flight& newest) const;
  void begin_batch();
  std::vector<Proposal> evaluate_batch();
  struct BatchMax {
    size_t records;
    size_t bytes;
  };
  // For the next batch.
  BatchMax batch_max() const;
  void answer_without_append(std::vector<Proposal> proposals);
  void append_batch(std::vector<Proposal> proposals);
  void on_verdict(AppendResolver::Verdict verdict, const Status& detail);
  void on_committed();
  void on_refused();
  void on_rejected();
  void on_lost(const Status& detail);
  void settle();
  // Ends all that is in flight: its proposals are taken out, so that answering may add new ones.
  std::vector<Proposal> take_in_flight();
  void put_back(std::vector<Proposal> proposals);
  void report_pending();
  void arm_sweep();
  void sweep();
  static Status unreachable() {
    return {Error::backend_unavailable, std::string(unreachable_reason)};
  }
  // What has not been submitted and waits in vain. The replica's own proposals go on waiting.
  std::vector<Proposal> take_hopeless();

  State& state_;
  AppendResolver& resolver_;
  Host& host_;
  Evaluator evaluator_;
  Lifetime lifetime_;
  std::vector<Proposal> waiting_;  // from next_ on; the rest is moved out
  size_t next_ = 0;
  std::deque<Flight> in_flight_;    // oldest first
  std::vector<Proposal> returned_;  // of rejected batches; wait for resume() or abandon()
  std::vector<Proposal> spare_;     // keeps its capacity from batch to batch
  Duration append_took_{};          // the newest one
  bool scheduled_ = false;
  // What waits was evaluated, yielded no records, and may have seen what is in flight.
  bool follows_nothing_ = false;
  bool closed_ = false;
  Status untouched_;  // what is answered then
  std::unique_ptr<Timer> sweep_timer_;
};

}  // namespace lattice::replica
