// `lattice tenant create|list|show|limit|remove|move`.
// Thread: the caller's. Ownership: the App and what it refers to outlive the run.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/cli.h"
#include "cli/store_options.h"

namespace lattice::cli {

class TenantCommands {
 public:
  // `status` gets the exit status of the command that ran.
  TenantCommands(CLI::App& app, const Surroundings& surroundings, int& status);

 private:
  using Action = server::TenantCommand::Action;

  void add_move(CLI::App& tenant);
  CLI::App* add(CLI::App& parent, const char* name, const char* help, Action action);
  int run(Action action);
  std::optional<server::TenantCommand> command(Action action) const;

  const Surroundings& around_;
  int& status_;
  StoreOptions store_;
  std::string name_;
  std::vector<std::string> limits_;
  std::string output_ = "text";
  std::string backend_ = config::default_backend;
  std::string to_;
  std::vector<std::string> nodes_;
  std::string leader_;
  bool dry_run_ = false;
  bool no_wait_ = false;
  bool abort_ = false;
  bool yes_ = false;
};

}  // namespace lattice::cli
