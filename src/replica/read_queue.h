// Calls that cannot be answered yet: linearizable reads in a gap of leadership or until the leader
// was asked for its position, anything before the log is loaded. Short gaps are waited out, as etcd
// does; each call waits for a bounded time. Thread: the replica's loop. Ownership: owns the calls
// until they are run, each exactly once.
#pragma once

#include <deque>
#include <memory>

#include "replica/lifetime.h"
#include "replica/read_index.h"
#include "replica/state.h"
#include "replica/write_queue.h"

namespace lattice::replica {

class ReadQueue {
 public:
  enum class Needs : uint8_t {
    loaded,
    linearizable,
    leading,  // linearizable, and this replica leads
    settled,  // leading, and nothing is staged
  };
  // Called with ok when the need is met at that moment, otherwise with why it will not be.
  using Call = absl::AnyInvocable<void(Status)>;

  class Host {
   public:
    virtual ~Host() = default;
    virtual bool meets(Needs needs) const = 0;
    // For linearizable reads where another leads: the round in which it is asked for its position
    // (ReadIndex), none where nobody can be asked; and whether that round's answer is applied.
    virtual ReadIndex::Round join_round() = 0;
    virtual bool round_reached(ReadIndex::Round round) const = 0;
    virtual Patience read_patience() const = 0;
  };

  ReadQueue(State& state, Host& host) : state_(state), host_(host) {}

  // Runs the call now, inside this call, or when its need is met.
  template <class Function>
  void run(Needs needs, Function function) {
    if (meets(needs)) return function(Status());
    add(needs, std::move(function));
  }
  void add(Needs needs, Call call);
  bool meets(Needs needs) const {
    return closed_.ok() && host_.meets(needs) && (needs != Needs::linearizable || bound().ok());
  }
  // What Options::linear_bound says now.
  Status bound() const;
  bool empty() const { return waiting_.empty(); }
  bool waits_for(Needs needs) const;
  // Something that calls wait for may have changed: runs those whose need is met, oldest first.
  void wake();
  // Answers all that wait for leadership itself: it is another's.
  void refuse_leading(const Status& status);
  // Answers everything with `status`, now and from now on.
  void close(const Status& status);

 private:
  struct Waiting {
    Instant since;
    Needs needs;
    Call call;
    ReadIndex::Round round;
  };
  bool ready(Waiting& entry);
  Status refusal(Needs needs) const { return needs == Needs::linearizable ? bound() : Status(); }
  // Why there is nothing to wait for: the log's backend cannot be reached.
  Status hopeless(Needs needs) const;
  void arm_sweep();
  void sweep();

  State& state_;
  Host& host_;
  std::deque<Waiting> waiting_;
  Status closed_;
  std::unique_ptr<Timer> sweep_timer_;
};

}  // namespace lattice::replica
