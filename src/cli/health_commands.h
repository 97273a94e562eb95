// `lattice healthcheck`: finds out from the configuration where to ask.
// Thread: the caller's. Ownership: the App and what it refers to outlive the run.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/cli.h"

namespace lattice::cli {

class HealthCommands {
 public:
  // `status` gets the exit status of the command that ran.
  HealthCommands(CLI::App& app, const Surroundings& surroundings, int& status);

 private:
  int run();
  // The metrics port, or a client port in plaintext; empty: there is none, and `err` says so.
  std::string configured_address() const;

  const Surroundings& around_;
  int& status_;
  std::string file_;
  server::HealthCommand command_;
};

}  // namespace lattice::cli
