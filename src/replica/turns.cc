#include "replica/turns.h"

#include <utility>

#include "replica/environment.h"

namespace lattice::replica {

UnsharedTurns::UnsharedTurns(Environment& environment, Work work)
    : environment_(environment), work_(std::move(work)) {}
UnsharedTurns::~UnsharedTurns() = default;

void UnsharedTurns::begin() {
  if (timer_ != nullptr) return;
  // A timer and not the end of this turn: between two calls the loop serves everybody else.
  timer_ = environment_.after({}, [this] {
    timer_.reset();
    if (work_(whole_size)) begin();
  });
}

std::unique_ptr<Turns> Environment::turns(Turns::Work work) {
  return std::make_unique<UnsharedTurns>(*this, std::move(work));
}

}  // namespace lattice::replica
