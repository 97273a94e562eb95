// A libpq connection string, taken apart so that host names are resolved off the loop:
// PQconnectStart would block on DNS (platform.md 1.5). Thread: values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/common/resolver.h"
#include "base/status.h"
#include "base/time.h"

namespace lattice::backends {

class PgConninfo {
 public:
  // A libpq URI or keyword string. target_session_attrs is passed over: of several hosts, Lattice
  // goes to the one that takes writes, whatever it says. Errors: invalid_argument, with libpq's
  // reason (never the password).
  static Result<PgConninfo> parse(const std::string& text);

  // What the string names, addresses not yet known. One entry with an empty host is libpq's default
  // (a Unix socket).
  const std::vector<Host>& hosts() const { return hosts_; }

  // Keywords for PQconnectStartParams with this host, Lattice's own settings for dead peers where
  // the string has none, and `application_name`.
  std::vector<std::pair<std::string, std::string>> keywords(
      const Host& resolved, std::string_view application_name) const;
  // Where this goes, for people: "db.example:5432/lattice".
  std::string describe() const;
  static std::string describe(const Host& host);
  // connect_timeout of the string, for each host; nullopt: none given.
  std::optional<Duration> connect_timeout() const;

 private:
  std::vector<std::pair<std::string, std::string>> given_;  // without hosts, addresses and ports
  std::vector<Host> hosts_;
};

}  // namespace lattice::backends
