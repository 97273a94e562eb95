// Reads the configuration from all its sources. A later source wins: the registry's defaults, the
// file, lattice.local.toml beside it, the environment, the command line.
//
// Thread: any. Never throws and never stops at the first mistake: all problems come back at once.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/option.h"

namespace lattice::config {

// What sysexits.h calls EX_CONFIG: the exit status of a start with problems.
inline constexpr int exit_status_bad_configuration = 78;

struct Request {
  struct Flag {
    std::string name;  // "--grpc-bind", for messages
    std::string key;   // "listeners.grpc.bind"
    std::string text;
  };
  std::optional<std::string> file;
  std::map<std::string, std::string> environment;  // all of it; only LATTICE_* and ${NAME} are read
  std::vector<Flag> command_line;
};

// One key's value and where it came from: "default", "lattice.toml:12", "LATTICE_ENV",
// "--grpc-bind".
struct Setting {
  Value value;
  std::string origin;
};
using Settings = std::map<std::string, Setting, std::less<>>;

struct Problem {
  std::string where;  // "lattice.toml:12:1", "LATTICE_ENV", "--grpc-bind"; empty if no single place
  std::string key;    // empty if no single key
  std::string message;
};

struct Loaded {
  Config config;  // meaningful only without problems
  Settings settings;
  std::vector<std::string> warnings;
  std::vector<Problem> problems;

  bool ok() const { return problems.empty(); }
};

Loaded load(const Request& request);
// Reads the configuration again; nothing when it has mistakes.
using Reload = std::function<std::optional<Config>()>;

// This process's environment as Request wants it.
std::map<std::string, std::string> process_environment();

// `lattice.toml:12:1: listeners.grpc.bind: expected ...`.
std::string to_text(const Problem& problem);

// The keys whose values differ, split by what a reload can do about them.
struct Changes {
  std::vector<std::string> applied;
  std::vector<std::string> need_restart;
};
Changes compare(const Settings& before, const Settings& after);

}  // namespace lattice::config
