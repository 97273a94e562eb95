// Random requests of one tenant, and its markers: every key, value, name and password that it
// writes carries them, so that a byte of it in another's hands is known for what it is. Thread: one
// (pure but for its own random numbers).
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace lattice::canary {

inline constexpr std::string_view marker_start = "<canary of ";
// Of passwords, which nobody may ever receive.
inline constexpr std::string_view secret_start = "<secret of ";

inline std::string marker(std::string_view tenant) {
  return std::string(marker_start) + std::string(tenant) + ">";
}

struct Request {
  std::string_view path;
  std::string body;  // framed
};

class Requests {
 public:
  // `with_users`: users, roles and logins, too.
  Requests(std::string tenant, uint64_t seed, bool with_users);

  Request next();
  // Everything that changes from the beginning on.
  static Request watch_all();
  // Those who begin: root with its password.
  Request authenticate() const;
  // What the last answer of a write said; revisions are asked for below it.
  void saw_revision(int64_t revision) { revision_ = revision > revision_ ? revision : revision_; }

 private:
  uint64_t below(uint64_t bound) { return random_() % bound; }
  bool chance(double share);
  std::string key();
  std::string name(std::string_view what);
  std::string password() const;
  Request of_keys();
  Request of_leases();
  Request of_users();
  Request of_the_rest();

  std::string tenant_;
  std::string marker_;
  std::mt19937_64 random_;
  bool with_users_;
  int64_t revision_ = 1;
};

}  // namespace lattice::canary
