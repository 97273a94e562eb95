#include "credentials/login_guard.h"

#include <algorithm>

namespace lattice::credentials {

std::optional<Duration> LoginGuard::begin(const std::string& user, Instant now) {
  const auto at = users_.find(user);
  if (at == users_.end()) return Duration{};
  Trouble& trouble = at->second;
  if (now - trouble.last >= limits_.forget_after) trouble.failures = 0;
  if (trouble.failures < limits_.free_failures) return Duration{};
  if (trouble.waiting >= limits_.waiting_max) return std::nullopt;
  ++trouble.waiting;
  const int doubled = std::min(trouble.failures - limits_.free_failures, 20);
  return std::min(limits_.delay_max, limits_.first_delay * (int64_t{1} << doubled));
}

void LoginGuard::finished(const std::string& user, Outcome outcome, Instant now) {
  const auto at = users_.find(user);
  if (at != users_.end()) at->second.waiting = std::max(0, at->second.waiting - 1);
  if (outcome == Outcome::none) return;
  if (outcome == Outcome::right) {
    // Those that wait keep their place.
    if (at != users_.end()) at->second.failures = 0;
    if (at != users_.end() && at->second.waiting == 0) users_.erase(at);
    return;
  }
  if (at == users_.end() && users_.size() >= limits_.users_max) make_room();
  Trouble& trouble = users_[user];
  ++trouble.failures;
  trouble.last = now;
}

void LoginGuard::make_room() {
  const auto oldest = std::ranges::min_element(
      users_, {}, [](const auto& entry) { return entry.second.last.nanoseconds; });
  users_.erase(oldest);
}

}  // namespace lattice::credentials
