// Slows down whoever guesses passwords: after a few failures in a row each further attempt for that
// user waits, longer and longer, and only a few may wait. The right password, once it is tried,
// forgets the failures; so does time. Attempts for other users are not touched.
//
// Thread: one loop's. Bounds: `users_max` users; beyond that, who failed longest ago is forgotten.
#pragma once

#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "base/time.h"

namespace lattice::credentials {

class LoginGuard {
 public:
  struct Limits {
    int free_failures = 5;
    Duration first_delay = std::chrono::milliseconds(100);  // doubled by each further failure
    Duration delay_max = std::chrono::seconds(5);
    Duration forget_after = std::chrono::minutes(10);
    int waiting_max = 8;  // attempts for one user that wait
    size_t users_max = 4096;
  };
  explicit LoginGuard(const Limits& limits) : limits_(limits) {}
  LoginGuard() : LoginGuard(Limits()) {}

  // How long this attempt has to wait before its password is looked at; nullopt: too many wait.
  // Each answer is followed by one finished().
  std::optional<Duration> begin(const std::string& user, Instant now);
  enum class Outcome : uint8_t { right, wrong, none };
  void finished(const std::string& user, Outcome outcome, Instant now);
  size_t size() const { return users_.size(); }

 private:
  struct Trouble {
    int failures = 0;
    int waiting = 0;
    Instant last;
  };
  void make_room();

  const Limits limits_;
  absl::flat_hash_map<std::string, Trouble> users_;
};

}  // namespace lattice::credentials
