#include "cli/store_options.h"

#include <ostream>
#include <utility>

namespace lattice::cli {

void StoreOptions::add_to(CLI::App& app) {
  app.add_option("--config", file_, "Configuration file (TOML)")->type_name("FILE");
  app.add_option("--db-connection", db_connection_, "The store, as of lattice start")
      ->type_name("URI");
  app.add_option("--data-dir", data_dir_, "Likewise")->type_name("FOLDER");
}

std::optional<config::Config> StoreOptions::load(const Surroundings& around) const {
  config::Request request;
  if (!file_.empty()) request.file = file_;
  request.environment = around.environment;
  if (db_connection_) {
    request.command_line.push_back({"--db-connection", "backend.url", *db_connection_});
  }
  if (data_dir_) request.command_line.push_back({"--data-dir", "paths.data_dir", *data_dir_});
  config::Loaded loaded = config::load(request);
  for (const config::Problem& problem : loaded.problems) {
    around.err << "error: " << config::to_text(problem) << "\n";
  }
  if (!loaded.ok()) return std::nullopt;
  return std::move(loaded.config);
}

}  // namespace lattice::cli
