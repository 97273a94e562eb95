// How replicas of a tenant tell each other that a batch was committed: Redis, PostgreSQL's NOTIFY,
// or both behind one Fanout (src/backends/redis, src/backends/postgres). It may lose, repeat,
// reorder, delay and invent messages: a receiver trusts a MAC and the log's chain, and reads the
// log for the rest (log-protocol S4), so that only latency depends on it.
//
// Thread: the replica's loop; callbacks there, never inside a call.
// Ownership: the replica's owner owns it and keeps it until the replica is gone.
#pragma once

#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"

namespace lattice::replica {

class Fanout {
 public:
  struct Receiver {
    // Exactly the bytes that somebody published (or an attacker did). They die with the call.
    absl::AnyInvocable<void(std::string_view message)> message;
    // Something may have happened or been missed: look at the log.
    absl::AnyInvocable<void()> hint;
  };

  virtual ~Fanout() = default;
  // From now on; an empty Receiver ends it. One at a time.
  virtual void subscribe(Receiver receiver) = 0;
  // False where only the newest message is sure to travel: one without a batch then says as much.
  virtual bool carries_batches() const { return true; }
  // Best effort: never blocks, holds a bounded number of bytes, and drops what does not fit.
  virtual void publish(std::string message) = 0;
};

}  // namespace lattice::replica
