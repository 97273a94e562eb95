// Brings one append to a known outcome, however often the log answers `unknown` (log-protocol P4 to
// P6): the same batch is submitted again at the same position, then looked for, and what was seen
// counts only after a barrier. It never gives up while the log exists, because a verdict that is
// not certain would be a lost or a doubled write.
//
// Thread: the replica's loop. Callbacks never run inside the call.
// Invariants: one append in flight; `committed` is answered only for a batch that is durable,
// `rejected`
//   and `refused` only for one that is not in the log and never will be.
#pragma once

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

  // Requires: !busy().
  void append(std::shared_ptr<const Batch> batch, Done done);
  bool busy() const { return batch_ != nullptr; }

 private:
  void submit();
  void on_reply(AppendReply reply);
  void on_unknown(const AppendReply& reply);
  void look();
  void on_look(const Result<Log::LookReply>& reply);
  // Runs `then` once a barrier has made durable what was seen; anything else starts over.
  void confirm(Verdict verdict, Status detail);
  void retry(void (AppendResolver::*step)());
  void finish(Verdict verdict, const Status& detail);

  State& state_;
  Lifetime lifetime_;
  std::shared_ptr<const Batch> batch_;
  Done done_;
  // An earlier submission of this batch may still commit: a clean error no longer settles it.
  bool ambiguous_ = false;
  int missing_ = 0;  // looks in a row that found neither this batch nor another at its place
  Duration backoff_{};
  std::unique_ptr<Timer> timer_;
};

}  // namespace lattice::replica
