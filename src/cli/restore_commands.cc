#include "cli/restore_commands.h"

#include <ostream>

namespace lattice::cli {

RestoreCommands::RestoreCommands(CLI::App& app, const Surroundings& surroundings, int& status)
    : around_(surroundings) {
  CLI::App* restore = app.add_subcommand("restore", "What follows the restore of a backup");
  restore->require_subcommand(1);
  CLI::App* declare = restore->add_subcommand("declare",
                                              "Say that the store was restored from a backup: "
                                              "every tenant's revision jumps beyond all that "
                                              "clients can have seen, and they list again");
  declare->add_option("--config", file_, "Configuration file (TOML)")->type_name("FILE");
  declare->add_option("--db-connection", db_connection_, "The store, as of lattice start")
      ->type_name("URI");
  declare->add_option("--data-dir", data_dir_, "Likewise")->type_name("FOLDER");
  declare->add_flag("--yes", yes_, "Do it: no server may run, and history ends here");
  declare->callback([this, &status] { status = this->declare(); });
}

int RestoreCommands::declare() {
  if (!yes_) {
    around_.err << "error: this ends the history of every tenant in the store; say --yes if it was "
                   "restored from a backup\n";
    return exit_usage;
  }
  config::Request request;
  if (!file_.empty()) request.file = file_;
  request.environment = around_.environment;
  if (db_connection_) {
    request.command_line.push_back({"--db-connection", "backend.url", *db_connection_});
  }
  if (data_dir_) request.command_line.push_back({"--data-dir", "paths.data_dir", *data_dir_});
  const config::Loaded loaded = config::load(request);
  for (const config::Problem& problem : loaded.problems) {
    around_.err << "error: " << config::to_text(problem) << "\n";
  }
  if (!loaded.ok()) return exit_configuration;
  return around_.restore(loaded.config, around_.out, around_.err);
}

}  // namespace lattice::cli
