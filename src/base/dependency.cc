#include "base/dependency.h"

#include <utility>

namespace lattice {

bool Dependency::try_begin(Instant now) {
  const State before = state();
  const bool may = breaker_.try_begin(now);
  tell_if_changed(before);
  return may;
}

void Dependency::failed(Status why, Instant began, Instant now, double fraction) {
  const State before = state();
  last_error_ = std::move(why);
  failed_at_ = now;
  breaker_.on_failure(began, now, fraction);
  tell_if_changed(before);
}

void Dependency::succeeded(Instant now) {
  const State before = state();
  breaker_.on_success(now);
  tell_if_changed(before);
}

void Dependency::tell_if_changed(State before) {
  if (state() != before && on_change_) on_change_(*this);
}

}  // namespace lattice
