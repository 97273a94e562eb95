// Which store a command works on that changes what is in it: the configuration, and the options of
// `lattice start` that name a store.
// Thread: the caller's.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "cli/cli.h"

namespace lattice::cli {

class StoreOptions {
 public:
  void add_to(CLI::App& app);
  // Nothing where the configuration is refused, which has been told then.
  std::optional<config::Config> load(const Surroundings& around) const;

 private:
  std::string file_;
  std::optional<std::string> db_connection_;
  std::optional<std::string> data_dir_;
};

}  // namespace lattice::cli
