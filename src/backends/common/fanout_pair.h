// Two ways for messages to travel behind one Fanout: the first while it is up, else the second
// (Redis, and PostgreSQL's NOTIFY in its stead). Both are listened to all the time, because other
// nodes may see the first one down while this one does not.
//
// Thread: the loop's, as both.
#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "replica/fanout.h"

namespace lattice::backends {

class FanoutPair final : public replica::Fanout {
 public:
  // `first_up` is asked before each message. Requires: neither fan-out is null.
  FanoutPair(std::unique_ptr<replica::Fanout> first, absl::AnyInvocable<bool()> first_up,
             std::unique_ptr<replica::Fanout> second);

  void subscribe(Receiver receiver) override;
  bool carries_batches() const override;
  void publish(std::string message) override;

 private:
  std::unique_ptr<replica::Fanout> first_;
  mutable absl::AnyInvocable<bool()> first_up_;
  std::unique_ptr<replica::Fanout> second_;
};

}  // namespace lattice::backends
