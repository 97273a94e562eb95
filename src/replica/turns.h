// Long work that can be cut into pieces, and its place among what else the loop has to do. Where a
// loop is one tenant's, all of it is done at once; where several want it, each piece waits for the
// tenant's turn (proxy/fair_shares.h, docs/decisions/0022).
// Thread: the replica's loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"

namespace lattice::replica {

class Environment;
class Timer;

class Turns {
 public:
  // Does about `size` of whatever it counts, whole_size: as much as there is. False: there is no
  // more for now.
  using Work = absl::AnyInvocable<bool(size_t size)>;
  static constexpr size_t whole_size = SIZE_MAX;

  // Destroying it ends the work; not inside the work itself.
  virtual ~Turns() = default;
  // Whether others want the loop just now: what takes long must begin() then.
  virtual bool shared() = 0;
  // Has the work called until it answers false, never inside this call.
  virtual void begin() = 0;
};

// On a loop that nobody else wants.
class UnsharedTurns final : public Turns {
 public:
  UnsharedTurns(Environment& environment, Work work);
  ~UnsharedTurns() override;
  bool shared() override { return false; }
  void begin() override;

 private:
  Environment& environment_;
  Work work_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace lattice::replica
