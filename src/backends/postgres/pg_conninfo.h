// A libpq connection string, taken apart so that host names are resolved off the loop:
// PQconnectStart would block on DNS (platform.md 1.5). Thread: values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/time.h"

namespace lattice::backends {

struct PgHost {
  std::string host;     // as written: for TLS names and messages; a path is a Unix socket
  std::string address;  // numeric, once resolved or given; empty for a Unix socket
  std::string port;
  bool operator==(const PgHost&) const = default;
};

class PgConninfo {
 public:
  // A libpq URI or keyword string. target_session_attrs is passed over: of several hosts, Lattice
  // goes to the one that takes writes, whatever it says. Errors: invalid_argument, with libpq's
  // reason (never the password).
  static Result<PgConninfo> parse(const std::string& text);

  // What the string names, addresses not yet known. One entry with an empty host is libpq's default
  // (a Unix socket).
  const std::vector<PgHost>& hosts() const { return hosts_; }
  // True for a name that only DNS (or /etc/hosts) knows.
  static bool needs_resolution(const PgHost& host);

  // Keywords for PQconnectStartParams with this host, Lattice's own settings for dead peers where
  // the string has none, and `application_name`.
  std::vector<std::pair<std::string, std::string>> keywords(
      const PgHost& resolved, std::string_view application_name) const;
  // Where this goes, for people: "db.example:5432/lattice".
  std::string describe() const;
  static std::string describe(const PgHost& host);
  // connect_timeout of the string, for each host; nullopt: none given.
  std::optional<Duration> connect_timeout() const;

 private:
  std::vector<std::pair<std::string, std::string>> given_;  // without hosts, addresses and ports
  std::vector<PgHost> hosts_;
};

}  // namespace lattice::backends
