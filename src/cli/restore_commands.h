// `lattice restore declare`.
// Thread: the caller's. Ownership: the App and what it refers to outlive the run.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "cli/cli.h"

namespace lattice::cli {

class RestoreCommands {
 public:
  // `status` gets the exit status of the command that ran.
  RestoreCommands(CLI::App& app, const Surroundings& surroundings, int& status);

 private:
  int declare();

  const Surroundings& around_;
  std::string file_;
  std::optional<std::string> db_connection_;
  std::optional<std::string> data_dir_;
  bool yes_ = false;
};

}  // namespace lattice::cli
