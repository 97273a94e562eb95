// `lattice token create|list|revoke`.
// Thread: the caller's. Ownership: the App and what it refers to outlive the run.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "cli/cli.h"

namespace lattice::cli {

class TokenCommands {
 public:
  // `status` gets the exit status of the command that ran.
  TokenCommands(CLI::App& app, const Surroundings& surroundings, int& status);

 private:
  using Action = server::TokenCommand::Action;

  CLI::App* add(CLI::App& parent, const char* name, const char* help, Action action);
  int run(Action action);
  // How long a token is good: "90d", "12h", "1h30m", "never" (0). nullopt: none of these.
  static std::optional<int64_t> seconds_of(const std::string& text);

  const Surroundings& around_;
  int& status_;
  server::TokenCommand command_;
  std::string expires_ = "90d";
  std::string output_ = "text";
};

}  // namespace lattice::cli
