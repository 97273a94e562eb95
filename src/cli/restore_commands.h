// `lattice restore declare`.
// Thread: the caller's. Ownership: the App and what it refers to outlive the run.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/cli.h"
#include "cli/store_options.h"

namespace lattice::cli {

class RestoreCommands {
 public:
  // `status` gets the exit status of the command that ran.
  RestoreCommands(CLI::App& app, const Surroundings& surroundings, int& status);

 private:
  int declare();

  const Surroundings& around_;
  StoreOptions store_;
  std::string backend_;  // empty: all
  bool yes_ = false;
};

}  // namespace lattice::cli
