// `lattice benchmark put|get|watch|mixed`.
// Thread: the caller's. Ownership: the App and what it refers to outlive the run.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/cli.h"

namespace lattice::cli {

class BenchmarkCommands {
 public:
  // `status` gets the exit status of the command that ran.
  BenchmarkCommands(CLI::App& app, const Surroundings& surroundings, int& status);

 private:
  using Action = load::BenchmarkRequest::Action;

  CLI::App* add(CLI::App& parent, const char* name, const char* help, Action action);
  void add_server(CLI::App* app);
  void add_load(CLI::App* app);

  const Surroundings& around_;
  int& status_;
  load::BenchmarkRequest request_;
  std::string output_ = "text";
};

}  // namespace lattice::cli
